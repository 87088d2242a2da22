"""What the library's client lacks: a call that fails leaves nothing behind, reads are counted,
and the embedded engine is asked once what it is.

Imports core. Begin with `guarded`.
"""
