"""What several tests of rendering share."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

# Every text that Protobuf can carry: no half of a surrogate pair.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | TEXTS
    | st.binary(max_size=6)
)


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


ATTRIBUTES = st.dictionaries(TEXTS, VALUES, max_size=5)


def number(value: float) -> str:
    """Return a finite double in its shortest form, in JavaScript's layout."""
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return np.format_float_positional(value, trim="-")
    return np.format_float_scientific(value, trim="-", exp_digits=1)


def as_json(value: object) -> str:
    """Return what Go's encoder writes without HTML escapes; ValueError for what it refuses."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(value)
        return number(value)
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode()}"' if value else "null"
    if isinstance(value, list):
        return f"[{','.join(map(as_json, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{as_json(key)}:{as_json(value[key])}' for key in sorted(value))}}}"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def expected(value: object) -> str:
    """Return the text of one attribute value."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        name = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        return f"json: unsupported value: {name}"
    try:
        return as_json(value)
    except ValueError:
        return ""


def texts(attributes: dict[str, Any]) -> dict[str, str]:
    """Return the column that a set of attributes becomes."""
    return {key: expected(value) for key, value in attributes.items()}
