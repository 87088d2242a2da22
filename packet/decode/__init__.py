"""From the bytes of a frame to columns: link layers, tunnels, IP, TCP, and the flow hash.

Pure: arbitrary bytes raise `DecodeError` and nothing else. Imports nothing of the room. Begin with
`decode`, frame by frame, then `vectorized`, which does the same to many frames at once.
"""
