"""One TOML, overridden by the environment; whatever is wrong is one line that names the key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from attribution.core.config import ChannelConfig
from collector.core.errors import ConfigError
from dashboard.settings import text as settings_text
from dashboard.settings.settings import Settings, load
from tests.support.service import RunningService

SECRET = "whsec_" + "QUJD" * 8  # 24 bytes, the least that is taken


def write(tmp_path: Path, text: str) -> Path:
    """Write a settings file."""
    path = tmp_path / "millworth.toml"
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_environment_beats_the_file_and_the_file_beats_the_default(tmp_path: Path) -> None:
    """An operator who sets a variable has to see it take effect."""
    path = write(tmp_path, "[dashboard]\nport = 9000\n[collector]\ngrpc_port = 9001\n")

    loaded = load(path, environment={"MILLWORTH__DASHBOARD__PORT": "9002", "PATH": "/bin"})

    assert loaded.settings.dashboard.port == 9002
    assert loaded.settings.collector.grpc_port == 9001
    assert loaded.settings.collector.http_port == 4318
    assert loaded.origins["dashboard.port"] == "MILLWORTH__DASHBOARD__PORT"
    assert loaded.origins["collector.grpc_port"] == str(path)
    assert "collector.http_port" not in loaded.origins


def test_secret_of_a_list_entry_comes_from_the_environment(tmp_path: Path) -> None:
    """A secret belongs in no file, also where the rest of its entry is in one."""
    path = write(
        tmp_path, '[[alerts.webhooks]]\nname = "router"\nurl = "https://r.example.com/h"\n'
    )

    loaded = load(path, environment={"MILLWORTH__ALERTS__WEBHOOKS__0__SECRET": SECRET})

    assert loaded.settings.alerts.webhooks[0].secret.get_secret_value() == SECRET
    assert SECRET not in settings_text.effective(loaded.settings, loaded.origins, with_origin=True)


def test_index_that_is_a_digit_of_another_script_is_named(tmp_path: Path) -> None:
    """`²` is a digit to Python and no number."""
    path = write(tmp_path, "[[alerts.webhooks]]\nname = 'a'\nurl = 'https://a.example'\n")

    with pytest.raises(ConfigError, match="there is no entry ²; the file has 1"):
        load(path, environment={"MILLWORTH__ALERTS__WEBHOOKS__²__SECRET": SECRET})


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        pytest.param(
            "[packet]\nsnaplen_byte = 96\n",
            {},
            "packet.snaplen_byte is not a setting; did you mean packet.snaplen_bytes?",
            id="a key with a typing error",
        ),
        pytest.param(
            "[packets]\nenabled = true\n",
            {},
            "packets is not a setting; did you mean packet?",
            id="a section with a typing error",
        ),
        pytest.param(
            '[dashboard]\nport = "many"\n', {}, "dashboard.port is 'many':", id="a wrong type"
        ),
        pytest.param("[store\n", {}, "not TOML", id="no TOML"),
        pytest.param(
            "[attribution.reference_latency_by_action_ms]\npay = -5\n",
            {},
            "attribution.reference_latency_by_action_ms.pay is -5: should be greater than 0",
            id="a latency below nothing",
        ),
        pytest.param(
            '[alerts]\nallowed_hosts = ["10.0.0.0/99"]\n',
            {},
            "alerts.allowed_hosts: '10.0.0.0/99' is not a network; write one as 10.0.0.0/8",
            id="a network that is none",
        ),
        pytest.param(
            '[[alerts.rules]]\nname = "f"\nkind = "threshold"\n'
            'figure = "failed_ratio"\nabove = 5\n',
            {},
            "failed_ratio is a share from 0 to 1, which is never above 5; 5 % is 0.05",
            id="a share in percent",
        ),
        pytest.param(
            "[collector]\nhttp_port = 8050\n",
            {},
            "dashboard.port is 8050, as collector.http_port is; give each its own",
            id="one port for two",
        ),
        pytest.param(
            '[attributes.map]\n"decision.value_usd" = "Shop.value"\n'
            '[[identifiers.rules]]\nattribute = "shop.*"\naction = "tokenise"\n',
            {},
            "rules: 'shop.*' covers Shop.value, which producers seal or figures are summed and",
            id="a rule that would make an amount NULL",
        ),
        pytest.param(
            "",
            {"MILLWORTH__STORE__URI": "x"},
            "MILLWORTH__STORE__URI: store.uri is not a setting; did you mean store.url?",
            id="a variable with a typing error",
        ),
        pytest.param(
            "",
            {"MILLWORTH__STORE__URL": "sqlite:///x"},
            "MILLWORTH__STORE__URL: store.url is 'sqlite:///x':",
            id="a variable with a wrong value",
        ),
    ],
)
def test_wrong_settings_end_in_one_line_that_names_the_key(
    tmp_path: Path, text: str, environment: dict[str, str], message: str
) -> None:
    """Whoever mistypes a key has to find it without reading our code."""
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), environment=environment)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value).strip()


@pytest.mark.parametrize(
    "text",
    [
        '[identifiers]\nkeys = "k1:00"\n',
        '[[alerts.webhooks]]\nname = "a"\nurl = "https://h.example"\nsecret = "whsec_x"\n',
        '[store]\nurl = "http://u:hunter2@db.example:8123"\n',
        '[access]\ntoken = "mwt_x"\n',
    ],
)
def test_file_with_a_secret_that_others_may_read_is_refused(tmp_path: Path, text: str) -> None:
    """What others could have read is no secret; the environment is the place for it."""
    path = write(tmp_path, text)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=r"is a secret: .* may be read by others .mode 0640"):
        load(path, environment={})


def test_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Defaults in place of a file that somebody named would hide a wrong path."""
    with pytest.raises(ConfigError, match="there is no such file"):
        load(tmp_path / "nowhere.toml", environment={})


def test_directory_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    """It names the path and what the system said."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, environment={})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"a = {'[' * 5_000}{']' * 5_000}\n", id="brackets"),
        pytest.param(f"a = {'{a = ' * 5_000}1{'}' * 5_000}\n", id="braces"),
        pytest.param(f"{'a.' * 5_000}a = 1\n", id="dots"),
    ],
)
def test_file_that_is_nested_without_end_is_an_error(tmp_path: Path, text: str) -> None:
    """It was a stack of Python; no setting is as deep."""
    path = tmp_path / "millworth.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"millworth.toml: is nested too deep; no setting"):
        load(path, environment={})


def test_variable_that_is_nested_without_end_is_an_error() -> None:
    """Its value is read as JSON."""
    deep = "[" * 50_000 + "]" * 50_000
    with pytest.raises(ConfigError, match="MILLWORTH__STORE__URL: is nested too deep; no setting"):
        load(None, environment={"MILLWORTH__STORE__URL": deep})


def test_example_holds_every_key_and_runs_as_it_is(tmp_path: Path) -> None:
    """It is the reference of the settings: a key that is missing there does not exist for users."""
    text = settings_text.example()

    assert load(write(tmp_path, text), environment={}).settings == Settings()
    for section, field in Settings.model_fields.items():
        model: Any = field.annotation
        own = {"channels": ChannelConfig}.get(section, model)
        assert f"[{section}]" in text or f"[{section}." in text
        for key in own.model_fields:
            assert (
                f"{key} =" in text
                or f"[{section}.{key}]" in text
                or (f"[[{section}.{key}]]" in text)
            ), f"{section}.{key}"


BURN = "budget_usd = 5\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            f"{BURN}notes = 5",
            "alerts.rules.0.notes is not a setting; did you mean alerts.rules.0.note?",
        ),
        ('kind = "dead_man"\nsilence_s = 5\nservice = []', "did you mean alerts.rules.0.services?"),
        ('kind = "burn"', "alerts.rules.0: kind 'burn' is not one of dead_man, dollar_burn"),
        ('kind = "dead_man"', "alerts.rules.0.silence_s is missing"),
    ],
)
def test_mistake_in_a_rule_names_its_key_and_the_remedy(
    tmp_path: Path, line: str, message: str
) -> None:
    """Each kind of rule has settings of its own; none of their models is in the message."""
    path = write(tmp_path, f'[[alerts.rules]]\nname = "a"\n{line}\n')
    with pytest.raises(ConfigError) as caught:
        load(path, environment={})
    assert message in str(caught.value)


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Some editors begin a file with one."""
    file = tmp_path / "millworth.toml"
    file.write_text("\ufeff[alerts]\ninterval_s = 7\n")
    assert load(file, environment={}).settings.alerts.interval_s == 7


def test_effective_settings_are_toml_that_reads_back() -> None:
    """What `config print` shows can be saved as millworth.toml."""
    settings = load(
        None,
        overrides={"attributes": {"map": {"decision.action": "shop.operation"}}},
        environment={},
    ).settings

    text = settings_text.effective(settings, {}, with_origin=False)

    assert Settings.model_validate(tomllib.loads(text)) == settings


def test_webhook_without_a_secret_stops_only_what_delivers(tmp_path: Path) -> None:
    """The service has its secrets; the shell in which someone asks it a question has none."""
    file = tmp_path / "millworth.toml"
    file.write_text('[[alerts.webhooks]]\nname = "router"\nurl = "https://r.example/h"\n')

    settings = load(file, environment={}).settings

    with pytest.raises(ConfigError, match="MILLWORTH__ALERTS__WEBHOOKS__0__SECRET"):
        settings.require_secrets()


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
@pytest.mark.parametrize("key", ["alerts.interval_s", "attribution.settle_s"])
def test_number_that_is_none_is_refused(key: str, value: float) -> None:
    """TOML has inf and nan: a rule above nan never fires, and a service of an endless interval
    ended with a traceback.
    """
    section, name = key.split(".")
    with pytest.raises(ConfigError, match=f"{key} is (inf|nan): "):
        load(None, overrides={section: {name: value}}, environment={})


def test_variable_for_an_entry_that_the_file_lacks_says_so() -> None:
    """A shell with the service's secrets, in another directory than its file."""
    with pytest.raises(ConfigError, match="WEBHOOKS__0__SECRET: the settings have no list"):
        load(environment={"MILLWORTH__ALERTS__WEBHOOKS__0__SECRET": "whsec_x"})


def test_siblings_of_a_store_are_its_own() -> None:
    """Two stores in one directory shared the log, its keys and the state of alerts."""
    usual = Settings.model_validate({"store": {"url": "chdb:///srv/millworth/store"}})
    other = Settings.model_validate({"store": {"url": "chdb:///srv/millworth/canary"}})
    server = Settings.model_validate({"store": {"url": "http://clickhouse:8123"}})

    assert usual.wal_dir == Path("/srv/millworth/wal")
    assert usual.alerts_path == Path("/srv/millworth/alerts.sqlite")
    assert other.wal_dir == Path("/srv/millworth/canary-wal")
    assert other.alerts_path == Path("/srv/millworth/canary-alerts.sqlite")
    assert server.wal_dir == Path("/var/lib/millworth/wal")


def test_paths_that_are_set_stay_as_they_are() -> None:
    """Who names a place gets that place."""
    settings = Settings.model_validate(
        {
            "store": {"url": "chdb:///srv/millworth/canary"},
            "collector": {"wal_dir": "/srv/log"},
            "alerts": {"state_path": "/srv/alerts.sqlite"},
        }
    )

    assert settings.wal_dir == Path("/srv/log")
    assert settings.alerts_path == Path("/srv/alerts.sqlite")


@pytest.mark.integration
def test_relative_path_is_below_where_the_command_was_given(tmp_path: Path) -> None:
    """The service leaves that directory for the store's, and reads certificates again later."""
    path = write(
        tmp_path,
        """
[collector.tls]
cert_file = "mine/cert.pem"
key_file = "mine/key.pem"
[[access.tokens]]
name = "reader"
role = "viewer"
hash_file = "reader.hash"
""",
    )
    settings = load(path, environment={}).settings
    assert settings.collector.tls.cert_file == Path.cwd() / "mine/cert.pem"
    assert settings.access.tokens[0].hash_file == Path.cwd() / "reader.hash"


def test_two_services_on_siblings_share_no_file(tmp_path: Path) -> None:
    """One store's alert appeared on the other's pages, and both wrote one log."""
    first = RunningService(tmp_path, MILLWORTH__STORE__URL=f"chdb://{tmp_path / 'store'}")
    with first:
        second = RunningService(tmp_path, MILLWORTH__STORE__URL=f"chdb://{tmp_path / 'other'}")
        with second:
            there = {path.name for path in tmp_path.iterdir()}

    own = {"store", "wal", "alerts.sqlite"}
    others = {"other", "other-wal", "other-alerts.sqlite"}
    assert own | others <= there
    for name in ("identifiers.key", "audit.key", "receipts.key"):
        kept = [tmp_path / directory / name for directory in ("wal", "other-wal")]
        if any(path.exists() for path in kept):
            assert kept[0].read_bytes() != kept[1].read_bytes(), name


def test_what_outcomes_are_complete_in_reaches_what_values_decisions(tmp_path: Path) -> None:
    """It is declared once, beside the currency of outcomes, and read by attribution."""
    file = tmp_path / "millworth.toml"
    file.write_text('[outcomes]\ncomplete = "all"\n[channels.tv]\ncomplete = "sales"\n')
    attribution = load(file, environment={}).settings.attribution
    assert (attribution.outcomes.all_sent, attribution.other_channels) == (True, ["tv"])
    assert attribution.model_copy().outcomes == attribution.outcomes
    assert not load(None, environment={}).settings.attribution.outcomes.all_sent


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[channels.tv]\nhorizon_days = 90\n", "channels.tv.horizon_days is 90 and decisions are"),
        ("[outcomes]\nhorizon_days = 365\n", "outcomes.horizon_days is 365 and decisions are kept"),
        ("[channels.tv]\nhorizon_days = 60\n", "channels.tv.horizon_days"),
        ('[channels.tv]\nkind = "rented"\n', "channels.tv.kind"),
        ("[channels]\ntv = 3\n", "channels.tv"),
        (
            '[channels.tv]\nkinds = "paid"\n',
            "channels.tv.kinds is not a setting; did you mean channels.tv.kind",
        ),
    ],
)
def test_channel_that_cannot_be_is_refused(tmp_path: Path, text: str, wrong: str) -> None:
    """A horizon beyond what is kept would count sales that find no decision: as nothing."""
    file = tmp_path / "millworth.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=wrong):
        load(file, environment={})


def test_channel_says_its_kind_and_its_horizon(tmp_path: Path) -> None:
    """One that no section names has neither a kind nor a horizon of its own; any name is one."""
    file = tmp_path / "millworth.toml"
    file.write_text(
        "[retention]\ndecisions_days = 400\n"
        '[channels."e-mail, Müller"]\nkind = "owned"\nhorizon_days = 365\n'
    )
    settings = load(file, environment={}).settings
    attribution = settings.attribution
    assert attribution.kind_of("e-mail, Müller") == "owned"
    assert attribution.horizon_days_of("e-mail, Müller") == 365
    assert (attribution.kind_of(""), attribution.horizon_days_of("")) == ("", 30)
    printed = settings_text.effective(settings, {}, with_origin=False)
    file.write_text(printed)
    assert load(file, environment={}).settings.channels == settings.channels
