"""From decoded packets to flows: RTT, retransmissions, zero windows, microbursts.

Pure. Imports `packet.decode`. Begin with `analysis`; `state_machine` follows one connection
exactly, `vectorized` does the clean ones at once.
"""
