"""Modes and caches as an automation and a command meet them."""

from __future__ import annotations

import json
from pathlib import Path

from collector.store.connect import Connections
from tests.support.dashboard.app import Api
from tests.support.service import millworth


def test_modes_and_caches_answer_of_an_empty_store(store: Connections) -> None:
    """Nothing is known, and nothing is made up."""
    api = Api(store)
    modes = api.send("GET", "/api/v1/vram/modes").json()
    assert (modes["modes"], modes["outcome"]) == ([], "converted")
    caches = api.send("GET", "/api/v1/vram/caches", params={"target": 0.9}).json()
    assert caches == {"decisions": 0, "sampled_every": 1, "caches": []}
    refused = api.send("GET", "/api/v1/vram/caches", params={"target": 1.5})
    assert (refused.status_code, "target" in refused.text) == (400, True)


def test_modes_and_caches_of_seeded_decisions(api: Api) -> None:
    """Of the seeded world every decision is in one mode, and no span says whether a cache hit."""
    told = api.send("GET", "/api/v1/vram/modes", params={"window": "31d"}).json()
    assert told["modes"][0]["verdict"] == "compared with"
    assert "observational" in told["caution"]
    assert api.send("GET", "/api/v1/vram/caches").json()["caches"] == []


def test_commands_say_what_to_do_where_nothing_is_known(tmp_path: Path) -> None:
    """On a store of the command's own: one line each."""
    home = f"chdb://{tmp_path}/store"
    assert millworth("migrate", MILLWORTH__STORE__URL=home).returncode == 0
    nowhere = {"MILLWORTH__STORE__URL": home, "MILLWORTH__DASHBOARD__PORT": "1"}
    caches = millworth("vram", "caches", **nowhere)
    assert (caches.returncode, "set cache.hit on the spans" in caches.stdout) == (0, True)
    modes = millworth("vram", "modes", "--json", **nowhere)
    assert json.loads(modes.stdout)["modes"] == []
    debt = millworth("vram", "debt", **nowhere)
    assert "nothing is owed that telemetry shows" in debt.stdout


def test_store_of_an_older_schema_is_named_with_what_brings_it_up(tmp_path: Path) -> None:
    """One line and exit 2, where a table was missed before."""
    (tmp_path / "store").mkdir()
    result = millworth(
        "vram", "caches",
        MILLWORTH__STORE__URL=f"chdb://{tmp_path}/store", MILLWORTH__DASHBOARD__PORT="1",
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.startswith(
        "millworth: no Millworth answers at http://127.0.0.1:1, and the"
    )
    assert "bring it up with `millworth migrate`" in result.stderr
    assert "Traceback" not in result.stderr
