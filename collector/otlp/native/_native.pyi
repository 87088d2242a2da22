"""The compiled module; `collector.otlp.native.spans` says what it means."""

from array import array

def names(judged: dict[bytes, int], /) -> object: ...
def check(
    body: bytes, names: object, earliest_ns: int, latest_ns: int, /
) -> tuple[int, int, list[tuple[int, int]], list[tuple[int, int, int]] | None] | None: ...
def block(
    content: bytes,
    places: array[int],
    keys: tuple[bytes, ...],
    rules: tuple[tuple[bytes, bytes, bytes], ...],
    own: tuple[bytes, bytes, bytes, bytes],
    /,
) -> tuple[bytes, int, bytes, bytes, bytes, int, list[int]]: ...
def log_block(content: bytes, places: array[int], /) -> tuple[bytes, int, list[int]]: ...
