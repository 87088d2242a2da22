"""The reference decision path: a small real decision service that every budget is stated against.

It is treated as a customer: it speaks OTLP over a socket, and of ours it imports only
`collector.instrument.instrument`.
"""
