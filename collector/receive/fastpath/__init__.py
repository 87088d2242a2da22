"""One compiled pass over a request, where the extra `accel` is installed.

Says the same as `collector.otlp`, in less time. Begin with `scanner`.
"""
