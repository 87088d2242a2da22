"""The one writer and the one reader of the packet tables, with its SQL.

Imports decode, tcp, correlate and sampling. Begin with `writer`.
"""
