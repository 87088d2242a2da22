"""Everything that pages and API read of the store, with its SQL.

Imports settings and units. Begin with `reader`; `scope` says what a page is about.
"""
