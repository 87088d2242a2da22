"""What explains an alert on decisions: the segment that takes longer than before.

`suspect` is pure, `search` reads the store. Imports `alerts.state` and `alerts.rows`. Begin with
`suspect`.
"""
