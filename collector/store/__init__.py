"""The store: connections, migrations, cursors."""
