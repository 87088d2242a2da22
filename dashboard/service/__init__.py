"""The running service: all of it in one process (`millworth up`), or one role of it.

Begin with `process`; `jobs` lists every job with its role and interval.
"""
