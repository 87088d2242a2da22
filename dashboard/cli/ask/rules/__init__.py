"""`millworth rules`: which rules there are, their proof before they are live, and rules of others.

Begin with `main`.
"""
