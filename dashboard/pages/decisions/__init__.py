"""The page of the list of decisions: filters, order, pages, sums, and the file of all of them.

Imports read and the parts of pages. Begin with `page`.
"""
