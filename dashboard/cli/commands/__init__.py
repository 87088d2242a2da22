"""The daily commands, one file a verb.

Begin with `up`.
"""
