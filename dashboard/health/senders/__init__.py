"""What is off in what senders send: clocks, names and values that nobody reads, missing decisions.

It reads spans and log records of the last minutes once a minute. Begin with `job`.
"""
