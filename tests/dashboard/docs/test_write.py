"""Every generated file is as the program is."""

from __future__ import annotations

import pytest

from dashboard.docs.write import FILES
from tests.support.tree import text


@pytest.mark.parametrize("name", FILES)
def test_file_is_written(name: str) -> None:
    """Write it with `make example`."""
    assert text(name) == FILES[name]()
