"""`millworth.toml` and the environment, in one model.

Imports the settings of each room. Begin with `settings`, the only reader of files and environment.
"""
