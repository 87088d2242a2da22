"""The HTTP server under the OTLP receiver and the dashboard: limits, deadlines, compression.

Imports `collector.core` alone. Begin with `server`.
"""
