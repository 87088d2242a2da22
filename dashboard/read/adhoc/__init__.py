"""SQL from outside: parsed by the engine, judged by an allow-list, run with limits.

Begin with `reader`, then `tree`, which says what may run.
"""
