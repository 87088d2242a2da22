"""Which packets belong to which span: by trace context, by connection, by time; and clock offsets.

Pure. Imports `packet.decode`. Begin with `spans`.
"""
