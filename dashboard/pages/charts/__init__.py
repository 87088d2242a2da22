"""What pages draw: figures for plotly and bars, in the frame and the colours that all share.

Imports what rows are made of. Begin with `figures`.
"""
