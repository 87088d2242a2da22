"""What would have been: a segment faster, one period against another, Shapley shares.

Imports what lies below it. Begin with `analyst`, which answers each question.
"""
