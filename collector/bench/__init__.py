"""`millworth bench ingest`, `instrument`, `soak` and `identifiers`.

Nothing but the command line imports it. Begin with `ingest`.
"""
