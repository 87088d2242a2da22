"""From the spans of a trace to its critical path, split into sixteen segments that sum exactly.

Pure. Imports `attribution.core`. Begin with `assemble`, `critical_path`, `budget`; `oracle` does
the same slowly, for tests.
"""
