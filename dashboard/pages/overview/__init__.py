"""The first page: what is at risk now, and the path that the risk comes from.

Imports read and the parts of pages. Begin with `page`.
"""
