"""`millworth demo` and `drill`: the reference path with a scripted incident, judged at the end.

Begin with `demo`.
"""
