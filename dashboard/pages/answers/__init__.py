"""Pages that answer one question each: a sentence, then the tables that it rests on.

Each panel says itself that it is partial, old or could not be read. Imports read and the parts of
pages. Begin with `dashboard/pages/states.py`.
"""
