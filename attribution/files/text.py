"""Pure: JSON read from a window that moves over its text, so that no file is held whole.

What fits into the window on one line is parsed at once. A longer list or object is a `Pending`: its
parts are handed out one after the other, and whoever reads it asks for the next when the last is
done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

# A list or object of more than this is walked through; characters.
_WINDOW = 2**20
# One span, resource or other value that has to be whole: more is not a part of a trace.
_VALUE_MAX = 2**26
# How far to look for a line feed, by which a document that is laid out over lines is known.
_LOOK = 200
# The longest word of JSON, and Infinity, which other writers have; and an escape.
_WORD_MAX = 16
_FAILURES = (ValueError, ArithmeticError, StopIteration, RecursionError)
_OPENINGS = frozenset('{["')
_SPACE = " \t\n\r"
_SPACES = re.compile(r"[ \t\n\r]*")
# Possessive: a text of megabytes would be kept character by character, to go back over.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)
_MANY = re.compile(r'"(?:data|spans|batches|resourceSpans|resource_spans|scopeSpans)"\s*:\s*\[')
_TRACE_ID = re.compile(r'"traceI[dD]"\s*:\s*"([^"]{1,64})"')
_NEXT_DOCUMENT = re.compile(r"\n(?=[{\[])")


class BrokenError(Exception):
    """The text is not JSON from here on."""

    def __init__(self, why: str, traces: tuple[str, ...] = ()) -> None:
        """Keep why, and the traces that the text behind names."""
        super().__init__(why)
        self.traces = traces


class Malformed:
    """What stands where a value should be, and is not JSON."""

    def __init__(self, why: str, traces: tuple[str, ...]) -> None:
        """Keep why, and the traces that it names."""
        self.why = why
        self.traces = traces


def _whole_number(text: str) -> object:
    try:
        return int(text)
    except ValueError:  # of more digits than Python converts
        return text


def _fraction(text: str) -> object:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent of many digits
        return text


# A float would lose nanoseconds, and microseconds may come with a fraction.
_scan = json.JSONDecoder(parse_float=Decimal, parse_constant=str).scan_once  # type: ignore[attr-defined]  # typeshed leaves it out
# What the first cannot convert costs the value that it is a part of, not the file.
_scan_any = json.JSONDecoder(
    parse_float=_fraction, parse_int=_whole_number, parse_constant=str
).scan_once  # type: ignore[attr-defined]  # typeshed leaves it out


class Text:
    """The text of a file, from where it was read to as far as it is held."""

    def __init__(self, chunks: Iterator[str]) -> None:
        """Begin at the first character."""
        self._chunks = chunks
        self._buffer = ""
        self._position = 0
        self._start = 0  # where the value that was read last begins
        self._is_end = False
        self._line, self._line_at = 1, 0

    @property
    def line(self) -> int:
        """Return the line on which the value that was read last begins."""
        self._line += self._buffer.count("\n", self._line_at, self._start)
        self._line_at = max(self._start, self._line_at)
        return self._line

    def peek(self) -> str:
        """Skip white space and return the next character, empty at the end."""
        character = self._buffer[self._position : self._position + 1]
        if character and character not in _SPACE:
            self._start = self._position
            return character
        while True:
            self._position = _SPACES.match(self._buffer, self._position).end()  # type: ignore[union-attr]  # it matches nothing too
            if self._position < len(self._buffer):
                self._start = self._position
                return self._buffer[self._position]
            if not self._more(_WINDOW):
                return ""

    def take(self, character: str) -> None:
        """Go past one character.

        Raises:
            BrokenError: it is another one.
        """
        if self.peek() != character:
            is_end = self._position >= len(self._buffer)
            why = "the file ends inside it" if is_end else f"{character!r} is missing"
            raise self.broken(f"not JSON: {why}")
        self._position += 1

    def goes_on(self, closing: str) -> bool:
        """Go past what stands behind a part: a comma, or the end of the list or object.

        Raises:
            BrokenError: neither is there.
        """
        character = self._buffer[self._position : self._position + 1]
        if character != "," and character != closing:
            character = self.peek()
        if character == ",":
            self._position += 1
            return True
        self.take(closing)
        return False

    def value(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the value here, which has to be whole.

        Raises:
            BrokenError: it is not JSON, or longer than any part of a trace.
        """
        if self._buffer[self._position : self._position + 1] not in _OPENINGS:
            self.peek()
        self._start = self._position
        size = _WINDOW
        while True:
            try:
                value, end = _scan(self._buffer, self._position)
            except _FAILURES as error:
                if not self._is_cut(error):
                    return self._scanned_anyhow()
                end = 0
            # A number at the end of what is held may go on behind it.
            if end and (end < len(self._buffer) or self._is_end):
                self._position = end
                return value
            size = max(size, 2 * (len(self._buffer) - self._position))
            if size > 2 * _VALUE_MAX:
                raise self.broken(f"not JSON: one value is longer than {_VALUE_MAX} characters")
            if not self._more(size) and not end:
                return self._scanned_anyhow()

    def _is_cut(self, error: BaseException) -> bool:
        """Return whether more text may mend this failure."""
        if isinstance(error, StopIteration):
            return int(error.value) + _WORD_MAX > len(self._buffer)
        if isinstance(error, json.JSONDecodeError):
            is_open = error.msg.startswith("Unterminated string")
            return is_open or error.pos + _WORD_MAX > len(self._buffer)
        return False

    def _scanned_anyhow(self) -> object:
        """Return the value here with numbers that cannot be converted as texts.

        Raises:
            BrokenError: it is not JSON.
        """
        try:
            value, self._position = _scan_any(self._buffer, self._position)
        except RecursionError as error:
            raise self.broken("not JSON: nested too deeply") from error
        except StopIteration as error:
            raise self.broken(self._reason(int(error.value), "a value is missing")) from error
        except json.JSONDecodeError as error:
            position = (
                len(self._buffer) if error.msg.startswith("Unterminated string") else error.pos
            )
            raise self.broken(self._reason(position, error.msg)) from error
        return value

    def _reason(self, position: int, why: str) -> str:
        if position >= len(self._buffer):
            return "not JSON: the file ends inside it"
        if "\udc80" <= self._buffer[position] <= "\udcff":
            return "not JSON: not UTF-8"
        return f"not JSON: {why.removesuffix(' at')}"

    def leaf(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the value here, or Malformed where it is not JSON and its end can be found.

        Raises:
            BrokenError: its end cannot be found.
        """
        text, begin = self._buffer, self._position
        if text[begin : begin + 1] == "{":
            try:
                value, end = _scan(text, begin)
            except _FAILURES:
                end = 0
            if end:
                self._start, self._position = begin, end
                return value
        try:
            return self.value()
        except BrokenError as error:
            end = self._closing()
            if not end:
                raise
            traces = tuple(set(_TRACE_ID.findall(self._buffer, self._position, end)))
            self._position = end
            return Malformed(str(error), traces)

    def _closing(self) -> int:
        """Return where the object or list that begins here ends by its brackets, 0 if nowhere."""
        depth = 0
        for token in _TOKEN.finditer(self._buffer, self._position):
            if token[0] in "{[":
                depth += 1
            elif token[0] in "}]":
                depth -= 1
                if depth <= 0:
                    return token.end() if depth == 0 else 0
            elif depth == 0:
                return 0
        return 0

    def part(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the value here, or Pending for what is in it.

        A list is Pending, and so is an object that is long, over several lines, or known to hold
        many spans: one after the other they are parsed faster, and are not held.
        """
        opening = self.peek()
        if opening == "[":
            return Pending(self)
        if opening != "{":
            return self.value()
        window = self._buffer[self._position : self._position + _LOOK]
        while "\n" not in window and not _MANY.search(window):
            try:
                value, end = _scan(self._buffer, self._position)
            except _FAILURES as error:
                is_short = len(self._buffer) - self._position < _WINDOW
                if is_short and self._is_cut(error) and self._more(_WINDOW):
                    continue
                break
            if self._buffer.find("\n", self._position, end) >= 0:
                break
            self._position = end
            return value
        return Pending(self)

    def broken(self, why: str) -> BrokenError:
        """Return the error of what is not JSON here, with the traces that the rest names."""
        stop = self._buffer.find("\n", self._position)
        stop = len(self._buffer) if stop < 0 else stop
        trace_ids = set(
            _TRACE_ID.findall(self._buffer, self._position, min(stop, self._position + _WINDOW))
        )
        return BrokenError(why, tuple(sorted(trace_ids)))

    def resume(self, line: int) -> None:
        """Go on with the next line that begins a document, or at the end.

        Args:
            line: where the document that was left begins.
        """
        self._start = self._position
        is_begin = self._buffer[self._position - 1 : self._position] == "\n" and self.line > line
        if is_begin and self._buffer[self._position : self._position + 1] in ("{", "["):
            return
        while True:
            match = _NEXT_DOCUMENT.search(self._buffer, self._position)
            if match:
                self._position = self._start = match.end()
                return
            self._position = max(self._position, len(self._buffer) - 1)
            if not self._more(_WINDOW):
                self._position = self._start = len(self._buffer)
                return

    def _more(self, size: int) -> bool:
        """Hold at least this many characters from here on; return whether any were added."""
        if self._is_end:
            return False
        self._start = self._position
        self._line += self._buffer.count("\n", self._line_at, self._position)
        parts = [self._buffer[self._position :]]
        length = before = len(parts[0])
        while length < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._is_end = True
                break
            parts.append(chunk)
            length += len(chunk)
        self._buffer = "".join(parts)
        self._position = self._start = self._line_at = 0
        return length > before


class Pending:
    """A list or object that is read part by part."""

    def __init__(self, text: Text) -> None:
        """Begin where the text is."""
        self._text = text
        self._opening = text.peek()
        self._is_read = False

    @property
    def is_list(self) -> bool:
        """Return whether it is a list, and not an object."""
        return self._opening == "["

    def elements(self) -> Iterator[Any]:
        """Yield what a list holds."""
        text = self._text
        for _ in self._places("]"):
            part = text.part()
            yield part
            if isinstance(part, Pending):
                part.skip()

    def leaves(self) -> Iterator[Any]:
        """Yield what a list holds; each is whole or Malformed, and never Pending."""
        for _ in self._places("]"):
            yield self._text.leaf()

    def fields(self) -> Iterator[tuple[str, Any]]:
        """Yield names and values of an object, in the order of the text."""
        text = self._text
        for _ in self._places("}"):
            if text.peek() != '"':
                raise text.broken("not JSON: the name of a field is missing")
            name = text.value()
            text.take(":")
            part = text.part()
            yield name, part
            if isinstance(part, Pending):
                part.skip()

    def skip(self) -> None:
        """Go past what was not read of it."""
        if self._is_read:
            return
        parts: Iterator[Any] = self.elements() if self.is_list else self.fields()
        for _ in parts:
            pass

    def whole(self) -> Any:  # noqa: ANN401 - any JSON
        """Return it parsed, which has to be short enough."""
        self._is_read = True
        return self._text.value()

    def _places(self, closing: str) -> Iterator[None]:
        self._is_read = True
        text = self._text
        text.take(self._opening)
        if text.peek() == closing:
            text.take(closing)
            return
        yield
        while text.goes_on(closing):
            yield
