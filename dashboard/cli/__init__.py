"""The command `millworth`: entry, client of a running service, options, `templates/`.

Begin with `main`, which lists every command.
"""
