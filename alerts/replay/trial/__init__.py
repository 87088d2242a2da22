"""Rules against a file of made-up data: which alerts there are at which instant, as one expects.

Imports `alerts.rules`, `alerts.state` and `alerts.config`. Begin with `run`.
"""
