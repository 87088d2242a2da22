"""Pure: YAML from anywhere, read within bounds; an error names file, line and remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_MS, NS_PER_S

# Ten times the largest rule file that was found published.
BYTES_MAX: Final = 1024 * 1024
_DEPTH_MAX: Final = 50
# A value that is named once and meant many times counts each time: what looks small may be huge.
_VALUES_MAX: Final = 200_000
_BASE: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DURATION_MAX_NS: Final = 400 * NS_PER_DAY
# The units of Prometheus, each once at the most; a plain 0 needs none.
_LENGTH: Final = re.compile(
    "0|" + "".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in ("y", "w", "d", "h", "m", "s", "ms"))
)
_UNITS_NS: Final = (
    365 * NS_PER_DAY, 7 * NS_PER_DAY, NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S, NS_PER_MS,
)  # fmt: skip


class Table(dict[str, Any]):
    """One mapping of a document, and the line on which it begins, from 1."""

    line: int = 0


class _Loader(_BASE):  # type: ignore[misc]  # yaml ships no types
    """The safe loader, which notes lines and refuses a key that is there twice."""


def _table(loader: Any, node: Any) -> Table:  # noqa: ANN401  yaml ships no types
    made = Table()
    made.line = node.start_mark.line + 1
    seen: set[str] = set()
    for key, _ in node.value:
        wrong = "" if isinstance(key, yaml.ScalarNode) else "a key is not plain text"
        if not wrong and key.value in seen and key.tag != "tag:yaml.org,2002:merge":
            wrong = f"key {key.value[:60]!r} is there twice"
        if wrong:
            raise yaml.constructor.ConstructorError(None, None, wrong, key.start_mark)
        seen.add(key.value)
    loader.flatten_mapping(node)
    for key, value in node.value:
        made[str(loader.construct_object(key, deep=True))] = loader.construct_object(
            value, deep=True
        )
    return made


_Loader.add_constructor("tag:yaml.org,2002:map", _table)


def read_documents(name: str, text: str) -> list[Any]:
    """Return the documents of a YAML file, those that are empty left out.

    Raises:
        InputError: it is not YAML, or larger, deeper or more repetitive than a file of rules is.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > BYTES_MAX:
        raise InputError(f"{name}: has {size:,} bytes; split it into files of {BYTES_MAX:,}")
    try:
        _check_size(name, text)
        return [each for each in yaml.load_all(text, Loader=_Loader) if each is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f"{mark.line + 1}:"
        raise InputError(f"{name}:{line} {error.problem or error}; correct the YAML") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        message = " ".join(str(error).split())[:200]
        raise InputError(f"{name}: {message}; correct the YAML") from error


def _check_size(name: str, text: str) -> None:
    """Refuse what is deep or repetitive, event by event, before anything is built of it."""
    sizes: dict[str, int] = {}  # of what has a name
    still_open: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            sizes = {}
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in {anchor for anchor, _ in still_open}:
                raise InputError(f"{name}:{line}: *{event.anchor} contains itself; write it out")
            total += sizes.get(event.anchor, 0)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            total += 1
            still_open.append((event.anchor, total))
            if len(still_open) > _DEPTH_MAX:
                raise InputError(
                    f"{name}:{line}: is nested more than {_DEPTH_MAX} deep; flatten it"
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = still_open.pop()
            if anchor:
                sizes[anchor] = total - before + 1
        if total > _VALUES_MAX:
            raise InputError(
                f"{name}:{line}: holds more than {_VALUES_MAX:,} values, aliases written out; "
                "split it"
            )


def line_of(whole: object, location: Sequence[int | str]) -> int:
    """Return the line of the innermost mapping on the way to a place, 0 where none is known."""
    document: Any = whole
    found = 0
    for part in [*location, None]:
        if isinstance(document, Table):
            found = document.line
        is_item = isinstance(document, list) and isinstance(part, int) and part < len(document)
        if not is_item and not (isinstance(document, Mapping) and part in document):
            break
        document = document[part]
    return found


def prometheus_ns(text: object) -> int:
    """Return a length of time such as 1h30m, as Prometheus writes it, in nanoseconds.

    Raises:
        ValueError: it is not one, or is longer than a year.
    """
    match = _LENGTH.fullmatch(str(text))
    if match is None or not str(text):
        raise ValueError(
            f"{str(text)[:40]!r} is not a length of time; write it as 30s, 5m or 1h30m"
        )
    ns = sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS_NS, strict=True))
    if ns > _DURATION_MAX_NS:
        raise ValueError(f"{str(text)[:40]!r} is longer than a year")
    return ns
