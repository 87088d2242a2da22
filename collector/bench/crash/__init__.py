"""`millworth bench crash`: kill -9, power cuts and store outages; nothing is lost or doubled.

Begin with `run`; `child` is the process that dies.
"""
