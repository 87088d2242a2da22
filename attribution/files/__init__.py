"""Traces from files of other tools: OTLP JSON, Jaeger, Zipkin.

Pure. Imports core and path. Begin with `detect`.
"""
