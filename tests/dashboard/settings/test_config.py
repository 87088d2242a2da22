"""What the settings say of a value that cannot be: which key, what may be there, and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.core.errors import ConfigError
from dashboard.settings.settings import load

LISTED = "is not an attribute of ours that can be mapped"


def refusal(directory: Path, text: str) -> str:
    """Return the line by which a settings file is refused."""
    path = directory / "millworth.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, environment={})
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(
            '"decision.acton" = "shop.operation"',
            f"decision.acton {LISTED}; did you mean decision.action?",
            id="misspelt",
        ),
        pytest.param(
            '"shop.operation" = "decision.action"',
            'ours stands on the left: "decision.action" = "shop.operation"',
            id="the wrong way round",
        ),
        pytest.param(
            '"host.id" = "shop.machine"',
            f"host.id {LISTED}; docs/use/attributes.md lists them",
            id="read, and never under another name",
        ),
    ],
)
def test_map_of_a_name_that_is_not_ours_is_refused(tmp_path: Path, line: str, said: str) -> None:
    """It had no effect: no decision was found, and nothing said why."""
    refused = refusal(tmp_path, f"[attributes.map]\n{line}\n")
    assert refused.startswith(f"{tmp_path / 'millworth.toml'}: attributes.map: ")
    assert said in refused


@pytest.mark.parametrize(
    "key",
    [
        "[store]\nurl",
        "[store]\nquery_url",
        "[dashboard]\npublic_url",
        "[reference]\nredis_url",
        '[[alerts.webhooks]]\nname = "router"\nurl',
        "[[alerts.alertmanagers]]\nurl",
    ],
)
@pytest.mark.parametrize("place", ["h:99999", "h:0", "h:abc", "[::1", "u:p/w@h:8123"])
def test_address_that_nothing_can_have_is_refused(tmp_path: Path, key: str, place: str) -> None:
    """`config check` called it good, and `up` ended in a stack of Python, for ever anew."""
    scheme = "redis" if key.endswith("redis_url") else "http"
    refused = refusal(tmp_path, f'{key} = "{scheme}://{place}"\n')
    assert f"write {scheme}://HOST:PORT, with a port of 1 to 65535" in refused or (
        "public_url" in key and "dashboard.public_url" in refused and "has a path" in refused
    )
    assert "p/w" not in refused  # a password stays out of the journal


def test_wrong_address_is_shown_without_what_it_asks_with(tmp_path: Path) -> None:
    """A password may be in the query of an address too."""
    refused = refusal(tmp_path, '[store]\nurl = "http://h:99999/?user=me&password=p-w"\n')
    assert "store.url is 'http://h:99999/?**********'" in refused
    assert "p-w" not in refused


@pytest.mark.parametrize("path", ["/srv/st?a", "/srv/st#a"])
def test_store_in_a_directory_that_the_engine_cuts_is_refused(tmp_path: Path, path: str) -> None:
    """Its tables were in `/srv/st`, where another store has its own, and its log was elsewhere."""
    refused = refusal(tmp_path, f'[store]\nurl = "chdb://{path}"\n')
    assert f"store.url is 'chdb://{path}', and the engine takes what is behind ? or #" in refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[dashboard]\nport = true\n", "dashboard.port is True: a number is expected"),
        ("[alerts]\ninterval_s = true\n", "alerts.interval_s is True: a number is expected"),
        ('[store]\ndatabase = "my-shop"\n', "'my-shop': expected Database of every table: a to z"),
        (
            '[store]\ndatabase = "default"\n',
            "store.database is 'default', which ClickHouse has for itself; name another",
        ),
        (
            '[dashboard]\npublic_url = "millworth.example.com"\n',
            "expected Address by which browsers reach the pages, as https://",
        ),
        (
            '[dashboard]\npublic_url = "https://millworth.example.com/ops"\n',
            "has a path, and pages are served at / alone",
        ),
        (
            '[store]\nurl = "chdb:///srv/s"\n[collector]\nwal_dir = "/srv/s/wal"\n',
            "collector.wal_dir is /srv/s/wal, within the store at /srv/s",
        ),
        (
            '[store]\nurl = "chdb:///srv/s"\n[alerts]\nstate_path = "/srv/s"\n',
            "alerts.state_path is /srv/s, within the store at /srv/s",
        ),
        (
            '[access.proxy.roles]\nsre = "admin"\n',
            "no proxy is believed, so nobody gets these roles; set addresses",
        ),
        (
            '[access.proxy]\naddresses = ["0.0.0.0/1", "128.0.0.0/1"]\n',
            "0.0.0.0/1, 128.0.0.0/1 is everybody; name the addresses of the proxy",
        ),
        (
            '[access.proxy]\naddresses = ["::1"]\nuser_header = "Authorization"\n',
            "Authorization says something else; name the header that the proxy writes",
        ),
        (
            '[access.proxy]\naddresses = ["::1"]\nroles = {"shop,sre" = "admin"}\n',
            "no user is in the group 'shop,sre': groups have commas between them",
        ),
        (
            '[[decisions.match]]\nservice = "shop"\nkind = "SERVER"\n',
            "'SERVER': expected Kind of the span: server, client, producer, consumer or internal",
        ),
        (
            '[[access.tokens]]\nname = "x"\nrole = "viewer"\nexpires = 2027-01-01\n',
            "expected A date and time with its offset, as 2027-06-30T00:00:00Z",
        ),
        (
            "[collector]\nhttp_port = 8050\n",
            "millworth.toml: dashboard.port is 8050, as collector.http_port is",
        ),
    ],
)
def test_wrong_value_is_told_what_may_be_there(tmp_path: Path, text: str, said: str) -> None:
    """What a key means is no remedy for whoever does not know what it may hold."""
    assert said in refusal(tmp_path, text)


def test_rule_that_names_no_span_is_refused(tmp_path: Path) -> None:
    """It matched nothing, ended the automatic decisions, and nothing said so."""
    refused = refusal(tmp_path, '[[decisions.match]]\naction = "checkout"\n')
    assert refused.startswith(f"{tmp_path / 'millworth.toml'}: decisions.match.0: a rule that")
    assert refused.endswith("give service, span_name, kind or attributes")
