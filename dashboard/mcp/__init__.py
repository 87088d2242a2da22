"""`/mcp`: what agents may ask, by the Model Context Protocol: reads of `/api/v1`, and nothing else.

`tools` is pure: which operations are tools, and their schemas; `endpoint` answers. Imports nothing
of `dashboard.api`: it asks the application that serves it. Begin with `tools`.
"""
