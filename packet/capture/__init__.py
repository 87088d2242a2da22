"""The recorder: a process of its own with the only privilege of the service, and its ring.

Imports decode, tcp, correlate, sampling and files. Begin with `recorder`; `start` chooses an
engine.
"""
