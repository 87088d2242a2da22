"""`millworth bench provenance`: what attacks are found, and that nobody honest is accused.

Begin with `run`.
"""
