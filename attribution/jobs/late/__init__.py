"""What is attributed beside what comes now: what came late, and what was deferred.

Begin with `lane`. May import what the jobs do, and no job but their writers.
"""
