"""What runs every few seconds: packets to flows and spans, captures on request, clock offsets.

Begin with `packets`.
"""
