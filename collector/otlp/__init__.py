"""From the bytes of an OTLP request to checked values, with a reason for each that is rejected.

Pure: no store, no thread. Imports `collector.core` alone. Begin with `check`.
"""
