"""The tables and the views that fill them, and how a store is brought up to date.

One file of `migrations/` is one table; `views/` are rendered from the settings at each start.
Begin with `migrate`.
"""
