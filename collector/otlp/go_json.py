"""Pure: numbers and texts as Go's encoding/json writes them, without its escapes for HTML.

As the clickhouseexporter stores attributes; apart from `values` because it needs no Protobuf.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
}
_ESCAPED = re.compile('["\\\\\x00-\x1f\u2028\u2029]')


def double_text(number: float) -> str:
    """Return a double as Go's strconv writes it for JSON: 0.000001, 1e-7, 100, 1e+21."""
    if math.isnan(number):
        return "json: unsupported value: NaN"
    if math.isinf(number):
        return f"json: unsupported value: {'+' if number > 0 else '-'}Inf"
    shortest = Decimal(repr(number))
    if number == 0 or 1e-6 <= abs(number) < 1e21:
        text = f"{shortest:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    sign, digits, _ = shortest.as_tuple()
    mantissa = "".join(map(str, digits)).rstrip("0")
    fraction = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{'-' if sign else ''}{mantissa[0]}{fraction}e{shortest.adjusted():+d}"


def quoted(text: str) -> str:
    """Return text as a JSON string as Go writes it."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"
