"""The search of every page: ids by their lookups, names, pages and commands by what they contain.

Imports the reader, lists of decisions and alerts. Begin with `finder`; `match` is pure.
"""
