from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from alerts.signature import key_of, sign, verify
from collector.core.errors import DecodeError
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS
from tests.support.alerts.builders import SECRET

NOW_S = NOW_NS // NS_PER_S
BODY = b'{"type":"alert.firing"}'
OTHER_SECRET = "whsec_" + base64.b64encode(b"another key of 32 bytes, really!").decode()


def signed(**changes: str) -> dict[str, str]:
    """Return the headers of a genuine message, and what is named in their place."""
    headers = {
        "webhook-id": "episode-1-router",
        "webhook-timestamp": str(NOW_S),
        "webhook-signature": sign(SECRET, "episode-1-router", NOW_S, BODY),
    }
    return headers | {f"webhook-{name}": value for name, value in changes.items()}


def test_genuine_message_is_known_by_its_id() -> None:
    """A receiver drops an id that it has seen, and takes the case of header names as it comes."""
    headers = {name.title(): value for name, value in signed().items()}

    assert verify(SECRET, headers, BODY, NOW_NS) == "episode-1-router"


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        pytest.param(signed(id=""), BODY, "webhook-id is missing", id="no id"),
        pytest.param({}, BODY, "webhook-id is missing", id="no header at all"),
        pytest.param(signed(signature=""), BODY, "signature is missing", id="no signature"),
        pytest.param(signed(timestamp="soon"), BODY, "not whole seconds", id="no time"),
        pytest.param(signed(timestamp="-5"), BODY, "not whole seconds", id="negative time"),
        pytest.param(signed(timestamp="٣٣"), BODY, "not whole seconds", id="other digits"),
        pytest.param(signed(), BODY + b" ", "none is right", id="body was touched"),
        pytest.param(signed(id="other"), BODY, "none is right", id="id was touched"),
        pytest.param(
            signed(timestamp=str(NOW_S - 1)), BODY, "none is right", id="time was touched"
        ),
        pytest.param(
            signed(signature=sign(OTHER_SECRET, "episode-1-router", NOW_S, BODY)),
            BODY,
            "none is right",
            id="another secret",
        ),
        pytest.param(signed(signature="v1"), BODY, "none is right", id="malformed signature"),
    ],
)
def test_message_that_is_not_genuine_is_refused(
    headers: dict[str, str], body: bytes, message: str
) -> None:
    """An action follows from a webhook: whoever cannot sign may not cause one."""
    with pytest.raises(DecodeError, match=message):
        verify(SECRET, headers, body, NOW_NS)


@pytest.mark.parametrize("age_s", [-301, 301])
def test_message_out_of_its_time_is_refused(age_s: int) -> None:
    """A recorded message must not be replayed into the next incident."""
    with pytest.raises(DecodeError, match="are tolerated"):
        verify(SECRET, signed(), BODY, NOW_NS + age_s * NS_PER_S)


def test_one_right_signature_of_several_suffices() -> None:
    """A sender signs with the old secret and the new one while it rotates."""
    both = f"{sign(OTHER_SECRET, 'episode-1-router', NOW_S, BODY)} {signed()['webhook-signature']}"

    assert verify(SECRET, signed(signature=both), BODY, NOW_NS)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(SECRET.removeprefix("whsec_"), id="no prefix"),
        pytest.param("whsec_***", id="not base64"),
        pytest.param("whsec_" + base64.b64encode(b"x" * 23).decode(), id="too short"),
        pytest.param("whsec_" + base64.b64encode(b"x" * 65).decode(), id="too long"),
    ],
)
def test_unusable_secret_is_refused_without_being_printed(secret: str) -> None:
    """A log with a secret in it is a leak."""
    with pytest.raises(DecodeError) as caught:
        key_of(secret)

    assert secret.removeprefix("whsec_") not in str(caught.value)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), st.binary(max_size=200))
def test_signature_equals_the_reference_library(message_id: str, body: bytes) -> None:
    """Receivers verify with the library of Standard Webhooks, not with ours."""
    text = body.decode(errors="replace")

    expected = Webhook(SECRET).sign(message_id, datetime.fromtimestamp(NOW_S, UTC), text)

    assert sign(SECRET, message_id, NOW_S, text.encode()) == expected


def test_reference_library_refuses_what_we_refuse() -> None:
    """The oracle is not one that accepts everything."""
    stamp = int(datetime.now(UTC).timestamp())  # noqa: TID251 - the library reads the clock itself
    headers = signed(timestamp=str(stamp), signature=sign(SECRET, "episode-1-router", stamp, BODY))

    assert Webhook(SECRET).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_SECRET).verify(BODY, headers)


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()
    ),
    st.binary(),
)
def test_arbitrary_requests_raise_only_decode_error(headers: dict[str, str], body: bytes) -> None:
    """Whatever arrives, a receiver answers 401 and not 500."""
    with pytest.raises(DecodeError):
        verify(SECRET, headers, body, NOW_NS)
