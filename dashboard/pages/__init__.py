"""The pages, and what they draw: one file a page, and figures from rows.

Imports read and health. Begin with `overview`.
"""
