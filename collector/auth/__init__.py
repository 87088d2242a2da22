"""Who may send and read: bearer tokens, certificates, and requests of foreign web pages.

Imports `collector.core` alone. Begin with `gate`.
"""
