"""Who a proxy says that asks is believed from the proxy alone, and in one way."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collector.auth.gate import Gate
from collector.auth.proxied import ProxyConfig, TrustedProxy
from collector.auth.roles import Role, greatest
from collector.core.counters import Counters
from collector.core.errors import PermissionDeniedError, UnauthenticatedError
from tests.conftest import ManualClock

CONFIG = ProxyConfig.model_validate(
    {
        "addresses": ["127.0.0.1", "10.1.0.0/16", "fd00::/8"],
        "roles": {
            "sre on call": "responder",
            "platform": "operator",
            "équipe": "viewer",
            "owners": "admin",
        },
    }
)
Headers = list[tuple[bytes, bytes]]


def headers(user: str | bytes, *groups: str | bytes) -> Headers:
    """Return the headers of a proxy."""
    found = [(b"x-forwarded-user", user), *((b"x-forwarded-groups", each) for each in groups)]
    return [(name, v.encode() if isinstance(v, str) else v) for name, v in found]


def gate(clock: ManualClock, config: ProxyConfig = CONFIG) -> tuple[Gate, Counters]:
    """Return a gate without tokens, behind a proxy."""
    counters = Counters()
    return Gate((), counters, clock, config), counters


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ("sre on call", Role.RESPONDER),
        (" sre on call , platform ", Role.OPERATOR),
        ("equipe,équipe", Role.VIEWER),
        ("Owners,owner,owners2,/owners", None),
        ("sre,on,call", None),
        (",,", None),
        ("", None),
        ("platform,owners,sre on call", Role.ADMIN),
    ],
)
def test_greatest_role_of_the_groups_counts(groups: str, role: Role | None) -> None:
    """Letter by letter: a group that looks like another is another."""
    person = TrustedProxy(CONFIG).person(headers("anna@shop.example", groups))
    assert (person.name, person.role) == ("anna@shop.example", role)


def test_user_in_no_group_has_the_default_role() -> None:
    """Where the settings say that all who are signed in may look."""
    open_to_all = CONFIG.model_copy(update={"default_role": Role.VIEWER})
    assert TrustedProxy(open_to_all).person(headers("anna")).role is Role.VIEWER
    assert TrustedProxy(open_to_all).person(headers("anna", "owners")).role is Role.ADMIN


@pytest.mark.parametrize(
    ("peer", "is_proxy"),
    [
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("10.1.255.255", True),
        ("fd00::1", True),
        ("10.2.0.1", False),
        ("127.0.0.2", False),
        ("::1", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_header_of_any_other_peer_is_ignored_and_counted(
    clock: ManualClock, peer: str, is_proxy: bool
) -> None:
    """A neighbour on the network writes what it likes into a header."""
    door, counters = gate(clock)
    sender = door.by_proxy("dashboard", peer, headers("anna", "owners"))
    assert (sender is not None) == is_proxy
    ignored = counters.proxy_headers_ignored.labels("dashboard")._value.get()
    assert ignored == (0 if is_proxy else 1)


def test_without_a_proxy_the_headers_say_nothing(clock: ManualClock) -> None:
    """They are not even counted: anybody may send any header."""
    door, counters = gate(clock, ProxyConfig())
    assert door.by_proxy("dashboard", "127.0.0.1", headers("anna", "owners")) is None
    assert not door.asks_people
    assert counters.proxy_headers_ignored.labels("dashboard")._value.get() == 0


def test_proxy_alone_asks_people_and_no_sender(clock: ManualClock) -> None:
    """Who looks says nothing of who sends."""
    door, _ = gate(clock)
    assert (door.asks_people, door.asks) == (True, False)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (headers("anna", "owners", "viewers"), "two x-forwarded-groups headers"),
        (headers("anna") + headers("boss"), "two x-forwarded-user headers"),
        (headers("an\x00na"), "x-forwarded-user is not UTF-8"),
        (headers("anna\u202e", "owners"), "x-forwarded-user is not UTF-8"),
        (headers("\u00a0\u2003", "owners"), "x-forwarded-user is not UTF-8"),
        (headers(b"ann\xe9"), "x-forwarded-user is not UTF-8"),
        (headers("anna", b"owners\xff"), "x-forwarded-groups is not UTF-8"),
        (headers("a" * 201), "has 201 characters"),
    ],
)
def test_what_a_proxy_cannot_mean_is_refused(clock: ManualClock, sent: Headers, said: str) -> None:
    """A proxy that adds its header to one that it was sent lets anybody be anyone."""
    door, counters = gate(clock)
    with pytest.raises(UnauthenticatedError, match=said):
        door.by_proxy("dashboard", "127.0.0.1", sent)
    assert counters.denied.labels("dashboard", "", "proxy")._value.get() == 1


def test_user_without_a_role_is_told_where_one_is_given(clock: ManualClock) -> None:
    """The name is in the message, and counters have one for all users."""
    door, counters = gate(clock)
    sender = door.by_proxy("dashboard", "127.0.0.1", headers("anna", "sales"))
    assert sender is not None
    with pytest.raises(PermissionDeniedError, match=r"user anna has no role.*access\.proxy\.roles"):
        door.require("dashboard", sender, Role.VIEWER)
    assert counters.denied.labels("dashboard", "access.proxy", "role")._value.get() == 1


def test_empty_name_is_nobody(clock: ManualClock) -> None:
    """A proxy that has not signed anybody in sends the header with nothing in it."""
    door, _ = gate(clock)
    assert door.by_proxy("dashboard", "127.0.0.1", headers("  ", "owners")) is None


@given(st.binary(min_size=1), st.lists(st.binary(), max_size=2))
def test_any_bytes_are_a_person_or_refused(user: bytes, groups: list[bytes]) -> None:
    """And never a person without a name, which may everything."""
    sent = headers(user, *groups)
    proxy = TrustedProxy(CONFIG)
    if not proxy.is_named(sent):
        return
    with contextlib.suppress(UnauthenticatedError):
        assert proxy.person(sent).name


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"addresses": ["0.0.0.0/0"]}, "is everybody"),
        ({"addresses": ["::/0"]}, "is everybody"),
        ({"addresses": ["proxy.local"]}, "is neither an address"),
        ({"addresses": ["10.0.0.1/8"]}, "is neither an address nor a network"),
        ({"addresses": ["10.0.0.1"], "roles": {}}, "nobody has a role"),
        ({"user_header": "X-A", "groups_header": "x-a"}, "are one"),
        ({"user_header": "X Y"}, "user_header"),
    ],
)
def test_settings_that_would_trust_too_much_or_nobody_are_refused(
    wrong: dict[str, object], said: str
) -> None:
    """Before anything starts."""
    with pytest.raises(ValidationError, match=said):
        ProxyConfig.model_validate({"roles": {"a": "viewer"}, **wrong})


def test_roles_include_those_before_them() -> None:
    """One line, no lattice."""
    assert [Role.OPERATOR.includes(role) for role in Role] == [True, True, True, False]
    assert greatest([]) is None
