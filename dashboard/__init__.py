"""What an operator touches: pages, commands, `/api/v1`, and the reference decision path.

Reads: every table. Writes: nothing but user state.
Promises: an operator finds cause, cost and evidence within three clicks.
"""
