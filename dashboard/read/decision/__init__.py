"""All that is known of one decision, and the sentences that say it on a page and in a terminal.

Imports the reader. Begin with `detail`.
"""
