"""Which packets are kept, and for how many bytes.

Pure. Imports decode, tcp and correlate. Begin with `byte_budget`.
"""
