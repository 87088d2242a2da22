from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from collector.store.client.arrow import bound_value
from collector.store.client.long_lists import in_parts

FIELD_BYTES_MAX = 128 * 1024
WORDS = st.text(min_size=0, max_size=400)


@given(st.lists(WORDS, max_size=20), st.integers(1, 40), st.integers(0, 9))
def test_no_parameter_is_too_long(words: list[str], times: int, other: int) -> None:
    """And the parts are the list, in its order."""
    ids = words * times * 10
    asked = "SELECT has({ids:Array(String)}, {one:String}), {ids:Array(String)}, {id:UInt8}"
    statement, parameters = in_parts(asked, {"ids": ids, "one": "x", "id": other})

    assert (parameters.pop("one"), parameters.pop("id")) == ("x", other)
    assert [each for part in parameters.values() for each in part] == ids
    for part in parameters.values():
        assert len(bound_value(part).encode()) <= FIELD_BYTES_MAX
    names = re.findall(r"\{(ids\w*):Array\(String\)\}", statement)
    assert names == [*parameters, *parameters]
    assert ("arrayConcat" in statement) == (len(parameters) > 1)
