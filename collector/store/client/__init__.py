"""What the library's client lacks: a call that fails leaves nothing behind, reads are counted.

Imports core. Begin with `guarded`.
"""
