"""What alerting reads from the store, through limited connections.

Imports nothing of alerting. Begin with `reader`.
"""
