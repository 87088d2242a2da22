"""Spans read by compiled code: one pass that checks a request, and blocks that the store takes.

C++17 without dependencies, which an installation builds where it finds a compiler; without it the
official parser and the store's own reader do the same. Imports nothing of ours. Begin with `spans`,
then `check.h` and `block.h`.
"""
