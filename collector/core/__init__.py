"""What every room uses: clock, errors, log, counters, threads, the decision event's schema.

Imports no other part of a room. Begin with `errors`, whose docstring draws every error that we
raise, and `event_schema`, which says what a decision is on the wire.
"""
