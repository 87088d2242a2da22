from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from attribution.invest.gate import digest
from collector.core.errors import InputError
from dashboard.cli.main import app
from tests.support.service import millworth

FILE = """\
[invest]
rate = "0.4641"   # ten per cent a quarter

[[options]]
name = "managed edge"
capex_usd = "100"
opex_usd_per_quarter = "10"
gain_usd_per_quarter = { low = "300", median = 500.25, high = "700" }
basis = "experiment"
source = "holdout of May"
ramp = ["0.5", "1"]

[[options]]
name = "in-house"
capex_usd = { low = "900", median = "1000", high = "1500" }
opex_usd_per_quarter = "10"
gain_usd_per_quarter = "90"

[[tiers]]
latency_ms = 200
erv_usd_per_year = "1000000"
capex_usd = 0
opex_usd_per_year = 0

[[tiers]]
latency_ms = 150
erv_usd_per_year = "1100000"
capex_usd = "40000"
opex_usd_per_year = "10000"
"""

SAVES = """
[[options]]
name = "a"
capex_usd = 1
opex_usd_per_quarter = 1
saves = { store = "5ms" }
"""

HUGE = {"low": "1e60", "median": "1e60", "high": "1e60"}
REPLAYED = {
    "from_ns": 0, "to_ns": 10**18, "saves": ["a"], "decisions": 1, "replayed": 1, "unvalued": 0,
    "saved_usd": {"low": "1", "median": "2", "high": "3"}, "bases": ["margin"], "slope": "v1",
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of two options and two tiers."""
    path = tmp_path / "invest.toml"
    path.write_text(FILE)
    return path


def vram(*arguments: object) -> Result:
    """Run one command in this process, as a pipe would see it."""
    return CliRunner().invoke(app, ["vram", *map(str, arguments)])


def test_npv_compares_options_the_best_first(file: Path) -> None:
    """12 quarters at 10 %: 6.8137 a dollar of opex, 6.3591 of a gain that begins with half."""
    result = vram("npv", file, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    edge, inhouse = told["options"]
    assert (edge["name"], inhouse["name"]) == ("managed edge", "in-house")
    # 500.25 x (6.8136918 - 0.5/1.1) = 3,181.163; less 68.137 and 100.
    assert edge["values"]["npv"] == "3013.03"
    assert inhouse["values"]["npv"] == "-454.90"
    quarters = [each["values"]["payback_quarter"] for each in (edge, inhouse)]
    assert quarters == [1, None]
    assert edge["tornado"][0]["name"] == "gain"
    assert float(edge["draws"]["p5"]) < 3013 < float(edge["draws"]["p95"])
    table = vram("npv", file).stdout
    assert "managed edge" in table
    assert "never" in table


def test_tiers_say_where_to_stop(file: Path) -> None:
    """One step of 50 ms that brings 2,000 a millisecond."""
    result = vram("tiers", file, "--json")
    told = json.loads(result.stdout)
    assert (told["steps"][0]["revenue_usd_per_ms"], told["stop_ms"]) == ("2000.00", "150")
    shown = vram("tiers", file).stdout
    assert "go as far as: 150 ms" in shown
    assert "USD per ms and year" in shown
    settings = {"MILLWORTH__ATTRIBUTION__CURRENCY": "EUR"}
    assert "EUR per ms and year" in millworth("vram", "tiers", str(file), **settings).stdout


def test_gate_signs_a_verdict_that_verifies(file: Path, tmp_path: Path) -> None:
    """Whoever has the public key sees that no figure was changed after it was signed."""
    key = tmp_path / "gate.pem"
    assert vram("gate", "--new-key", key).exit_code == 0
    assert key.stat().st_mode & 0o777 == 0o600
    ruled = vram("gate", file, "--option", "managed edge", "--key", key, "--offline")
    # Nobody recomputed the experiment: figures, and no ruling that anybody may act on.
    assert ruled.exit_code == 1, ruled.output
    told = json.loads(ruled.stdout)["document"]["verdict"]
    assert (told["ruling"], told["cost_usd"]) == ("refuse", "168.14")
    assert "nobody recomputed experiment 'holdout of May'" in told["reason"]
    verdict = tmp_path / "verdict.json"
    verdict.write_text(ruled.stdout)
    good = vram("gate", verdict, "--verify", "--public-key", f"{key}.pub")
    assert (good.exit_code, "its signature holds" in good.stdout) == (0, True)
    beside = vram("gate", verdict, "--verify")
    assert (beside.exit_code, "is by the key beside it" in beside.stdout) == (0, True)


def test_key_that_is_not_there_is_told_before_anything_is_ruled_on(
    file: Path, tmp_path: Path
) -> None:
    """The service keeps each ruling: one was left, unsigned, for each name that was mistyped."""
    nowhere = ("--key", tmp_path / "gate.pen", "--url", "http://127.0.0.1:1")
    said = str(vram("gate", file, "--option", "managed edge", *nowhere).exception)
    assert "gate.pen" in said
    assert "127.0.0.1" not in said


def test_signature_that_the_key_beside_it_did_not_make_is_found(file: Path, tmp_path: Path) -> None:
    """Changed, worked out anew and hashed anew, by somebody without the private key."""
    key = tmp_path / "gate.pem"
    vram("gate", "--new-key", key)
    told = json.loads(
        vram("gate", file, "--option", "managed edge", "--key", key, "--offline").stdout
    )
    told["document"]["at"] = "2020-01-01T00:00:00Z"
    told["sha256"] = digest(told["document"])
    verdict = tmp_path / "verdict.json"
    verdict.write_text(json.dumps(told))
    result = vram("gate", verdict, "--verify")
    assert (result.exit_code, "is not by this key" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("forge", "wrong"),
    [
        (lambda t: t["document"]["verdict"].update(ruling="fund"), "do not follow"),
        (lambda t: t["document"]["option"].update(name="other"), "digest is of another"),
        (lambda t: t.update(signature=None), "it is not signed"),
        (lambda t: t.update(signature="00" * 64), "not by this key"),
        (lambda t: t["document"].pop("option"), "not a verdict"),
        (lambda t: t["document"]["evidence"].update(replayed=REPLAYED), "not a verdict"),
        (lambda t: t["document"]["option"].update(capex_usd=HUGE), "not a verdict"),
    ],
    ids=["ruling", "name", "unsigned", "other signature", "cut", "saves are a list", "huge"],
)
def test_forged_verdict_is_found(file: Path, tmp_path: Path, forge: Any, wrong: str) -> None:  # noqa: ANN401  a change
    """Exit 1, and a line that says what does not hold."""
    key = tmp_path / "gate.pem"
    vram("gate", "--new-key", key)
    ruled = vram("gate", file, "--option", "managed edge", "--key", key, "--offline")
    told = json.loads(ruled.stdout)
    forge(told)
    verdict = tmp_path / "verdict.json"
    verdict.write_text(json.dumps(told))
    result = vram("gate", verdict, "--verify", "--public-key", f"{key}.pub")
    assert result.exit_code == 1
    assert wrong in result.stdout


def test_gate_refuses_a_gain_that_nothing_proves(file: Path) -> None:
    """A gain of which the file does not say what it rests on is correlation."""
    result = vram("gate", file, "--option", "in-house", "--offline")
    verdict = json.loads(result.stdout)["document"]["verdict"]
    assert result.exit_code == 1
    assert (verdict["ruling"], verdict["gain_low_usd"]) == ("refuse", None)
    assert "observational, which proves no cause" in verdict["reason"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[options]]\nname = 1\n", "options.0.name"),
        ("[invest]\nrat = 1\n", "invest.rat"),
        ("nonsense", "correct the TOML"),
        (FILE.replace('low = "300"', 'low = "900"'), "do not ascend"),
        (FILE.replace('ramp = ["0.5", "1"]', 'ramp = ["2"]'), "a share of the gain by quarter"),
        (FILE.replace('basis = "experiment"', 'saves = {store = "5ms"}'), "not several"),
        (SAVES.replace("5ms", "5"), "'5' is not a length of time; give a number and us, ms or s"),
        (SAVES.replace("5ms", "99999999999999s"), "'99999999999999s' is over an hour"),
        (FILE.replace('ramp = ["0.5", "1"]', "ramp = []"), "a share of the gain by quarter"),
        (FILE.replace('low = "300"', 'low = "-1e60"'), "should be greater than"),
        (SAVES.replace("store", "disk"), "'disk' names no segment"),
        (SAVES + SAVES, "two options are named 'a'; rename one"),
        ("", "no \\[\\[options\\]\\]"),
    ],
)
def test_bad_file_is_refused_by_key(tmp_path: Path, text: str, error: str) -> None:
    """The file, the key, and what is wrong with it."""
    path = tmp_path / "invest.toml"
    path.write_text(text)
    result = vram("npv", path)
    assert isinstance(result.exception, InputError)
    with pytest.raises(InputError, match=error):
        raise result.exception


def test_gate_names_the_options_there_are(file: Path, tmp_path: Path) -> None:
    """And a key is never overwritten."""
    result = vram("gate", file, "--offline")
    assert "options: managed edge, in-house" in str(result.exception)
    key = tmp_path / "key"
    key.write_text("")
    assert "there is a key already" in str(vram("gate", "--new-key", key).exception)


def test_template_compares_in_house_managed_and_hybrid(tmp_path: Path) -> None:
    """What is printed is a file that works; a driver that may turn the decision is named."""
    path = tmp_path / "invest.toml"
    path.write_text(vram("npv", "--template").stdout)
    told = json.loads(vram("npv", path, "--json").stdout)
    by_name = {each["name"]: each for each in told["options"]}
    assert set(by_name) == {"in-house edge", "managed edge", "hybrid"}
    assert (told["years"], told["rate"]) == (3, "0.10")
    for each in told["options"]:
        assert each["sign_turns_on"][0] == "conversions gained by a decision"
    best = sum(each["draws"]["best_ratio"] for each in told["options"])
    assert best + told["nothing_is_best_ratio"] == pytest.approx(1.0)
    shown = vram("npv", path).stdout
    assert "doing nothing is" in shown
    assert "turns its sign" in shown
    refused = vram("gate", path, "--option", "hybrid", "--offline")
    assert (refused.exit_code, '"ruling": "refuse"' in refused.stdout) == (1, True)


def test_offline_gate_believes_no_estimate_and_replays_nothing(tmp_path: Path) -> None:
    """Whether a slope is identified is in the store alone."""
    path = tmp_path / "invest.toml"
    path.write_text(FILE.replace('"experiment"', '"estimate"'))
    result = vram("gate", path, "--option", "managed edge", "--offline")
    assert "is not known without the service" in result.stdout
    assert result.exit_code == 1
    path.write_text(SAVES)
    assert "leave --offline away" in str(vram("gate", path, "--offline").exception)


def test_gate_keeps_signs_and_finds_its_verdict_again(file: Path, tmp_path: Path) -> None:
    """Judged, signed, listed by name, and worked out again from what the store holds."""
    key = tmp_path / "gate.pem"
    vram("gate", "--new-key", key)
    home = {
        "MILLWORTH__STORE__URL": f"chdb://{tmp_path}/store",
        "MILLWORTH__DASHBOARD__PORT": "1",
    }
    assert millworth("migrate", **home).returncode == 0
    option = ("--option", "managed edge", "--key", str(key))
    ruled = millworth("vram", "gate", str(file), *option, **home)
    assert ruled.returncode == 1, ruled.stderr
    told = json.loads(ruled.stdout)
    assert told["document"]["verdict"]["ruling"] == "refuse"
    reason = told["document"]["verdict"]["reason"]
    assert reason == "there is no experiment 'holdout of May'; registered: none yet"
    listed = millworth("vram", "verdicts", **home).stdout
    assert listed.startswith(told["sha256"][:12])
    assert "refuse  managed edge" in listed
    seal = ("--public-key", f"{key}.pub")
    again = millworth("vram", "verdicts", told["sha256"][:10], "--replay", *seal, **home)
    assert (again.returncode, json.loads(again.stdout)) == (0, told)
    assert "follows from its inputs, and its signature holds" in again.stderr
