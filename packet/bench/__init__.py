"""`millworth bench packets`, `capture`, `wire` and `reconstruction`.

Nothing but the command line imports it. Begin with `packets`.
"""
