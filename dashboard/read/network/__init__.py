"""What the packets of a range show: what was waited for, between whom, bursts, and clocks.

Imports the rows of packets and the floor of the collector. Begin with `reader`.
"""
