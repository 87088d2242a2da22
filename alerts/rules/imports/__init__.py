"""Rules of other tools: their files read, and mapped onto rules of kind `slo` or refused.

Pure: text in, settings and reasons out. Imports `alerts.rules`. Begin with `read`.
"""
