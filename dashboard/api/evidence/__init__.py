"""The routes of decisions by any filter, and of kept packets: what an answer is checked against.

Imports read and the store of packets. Begin with `decisions`.
"""
