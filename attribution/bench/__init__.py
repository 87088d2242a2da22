"""`millworth bench attribution` and `causal`.

Nothing but the command line imports it. Begin with `attribution`.
"""
