"""`millworth bench`: the registry, and the benchmarks of the whole service.

Begin with `run`.
"""
