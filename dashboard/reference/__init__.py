"""The reference decision path: a small real decision service that every budget is stated against.

It is treated as a customer: it sends OTLP over a socket, and of ours it imports only
`collector.instrument`. Begin with `path`; `launch` starts it.
"""
