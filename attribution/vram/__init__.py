"""Where a millisecond pays: the ranking of segments and groups, modes, caches, impact.

Imports what lies below it. Begin with `job`, then `ranking`.
"""
