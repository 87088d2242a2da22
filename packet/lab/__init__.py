"""Network namespaces and a delaying forwarder, for tests and drills.

Imports nothing of the room. Begin with `network`.
"""
