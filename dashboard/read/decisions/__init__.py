"""The list of decisions: filters, one order, pages by key, and what they cost in sum.

Each question reads one range of time; a page goes on where the one before it ended. Imports the
reader and the loss of `attribution`. Begin with `listing`.
"""
