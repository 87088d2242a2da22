"""The command `millworth`: the list of commands, the client of a running service, options.

One folder a panel of the help: `running`, `ask`, `files`, `imports`, `verify`, `vram`, `admin`.
Begin with `main`, which lists every command.
"""
