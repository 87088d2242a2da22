"""`/api/v1/vram`, questions, experiments, investments and impact.

Begin with `main`.
"""
