"""One page a module: layout() and register(app, reader)."""
