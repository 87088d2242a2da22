"""From outcomes to what a decision earned, in one currency, and what lateness lost.

Imports core and path. Begin with `earned`, then `loss`.
"""
