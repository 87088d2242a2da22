"""What fires: the kinds of rules, the states of an alert, and the segment under suspicion.

Pure but for `reader`. Imports `alerts.config` and `alerts.rows`. Begin with `burn_rate`.
"""
