"""What the room reads of the store, one method a file of `sql/`.

Imports core and path. Begin with `reader`.
"""
