"""Trees as they are stored, a few bytes a span, and the kernels that recompute paths over them.

Pure. Imports core and path. Begin with `trees`.
"""
