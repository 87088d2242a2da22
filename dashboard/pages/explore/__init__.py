"""The page that explains what was brushed: a heatmap, two populations, and where they differ.

Imports read and the parts of pages; the comparison is that of `/api/v1/compare`. Begin with `page`.
"""
