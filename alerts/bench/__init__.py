"""`millworth bench alerts`: dollar rules beside the workbook's, in worlds whose truth is known.

Imports `alerts.replay` and `alerts.rules`. Begin with `alerts`.
"""
