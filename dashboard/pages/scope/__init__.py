"""What a page is narrowed to: its pickers, and the chips under its head.

Imports what pages share and `dashboard.read`. Begin with `tools`.
"""
