"""`millworth import ...` and `reconcile`: dollars from files, and against the books.

Begin with `main`.
"""
