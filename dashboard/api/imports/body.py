"""I/O: the file that a request to `/api/v1/import` is."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request

from collector.core.errors import RequestTooLargeError

# Of a file of days: ten years of two hundred currencies.
BYTES_MAX: Final = 32 * 1024 * 1024
# What the OpenAPI document says of a body that `body_of` reads.
TAKES_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "The file as it is: CSV with a header, JSON or Parquet; its content tells",
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


async def body_of(request: Request, name: str, bytes_max: int) -> bytes:
    """Return the file that a request is. Raises RequestTooLargeError beyond `bytes_max`."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > bytes_max:
            raise RequestTooLargeError(f"{name}: over {bytes_max} bytes; split the file")
    return bytes(content)
