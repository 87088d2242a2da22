"""The kinds of rules: each reads its facts, compares them with its setting, and finds the words.

Pure: a kind reads through the reader that it is given. Imports `alerts.state` and `alerts.rows`.
Begin with `base`; `kinds` is the table; docs/extend.md adds a kind.
"""
