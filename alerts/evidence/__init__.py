"""What explains an alert on decisions: the segment that takes longer, and the dollars it owns.

`suspect` is pure, `search` and `ledger` read the store. Imports `alerts.rules`, `alerts.state` and
`alerts.rows`. Begin with `suspect`.
"""
