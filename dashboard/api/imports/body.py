"""I/O: the file that a request to `/api/v1/import` is."""

from __future__ import annotations

from typing import Final

from fastapi import Request

from collector.core.errors import RequestTooLargeError

# Of a file of days: ten years of two hundred currencies.
BYTES_MAX: Final = 32 * 1024 * 1024


async def body_of(request: Request, name: str, bytes_max: int) -> bytes:
    """Return the file that a request is. Raises RequestTooLargeError beyond `bytes_max`."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > bytes_max:
            raise RequestTooLargeError(f"{name}: over {bytes_max} bytes; split the file")
    return bytes(content)
