"""Commands that run the service: all of it, one role, the demo, a drill.

Begin with `up`.
"""
