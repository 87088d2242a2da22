"""The work of two roles on files instead: traces to attribute, captures to analyse.

Begin with `attribute`.
"""
