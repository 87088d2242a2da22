"""pcap and pcapng, in and out, and the analysis of a capture file.

Imports decode, tcp, correlate, sampling and store. Begin with `reader`, then `analyse`.
"""
