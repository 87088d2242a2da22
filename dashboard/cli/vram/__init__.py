"""`millworth vram ...`: questions, experiments, investments, debt, impact.

Begin with `main`.
"""
