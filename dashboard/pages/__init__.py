"""The pages, and what they draw: a file or a folder a page, and figures from rows.

Imports read and health. Begin with `overview.page`.
"""
