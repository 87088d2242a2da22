"""Writes the generated pages of `docs/reference/` and the example of the settings.

Begin with `write`, which lists them; each page is a pure function.
"""
