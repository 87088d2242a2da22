"""`/api/v1`, one file a resource.

Imports read and health; pages do not import it. Begin with `app`.
"""
