"""What pages cost those who read them and the service: the first part of `bench dashboard`.

Only `dashboard.bench.run` imports it. Begin with `run`.
"""
