from __future__ import annotations

from decimal import Decimal

import pytest

from dashboard.reference.path import Priced, Request, parse_request, price

REGIONS = ("eu-west", "us-east")


def test_request_is_read() -> None:
    """What the generator sends."""
    query = b"customer=c0001&region=eu-west&channel=web"
    assert parse_request(query, REGIONS) == Request("c0001", "eu-west", "web")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param(b"region=eu-west&channel=web", "customer is missing", id="no customer"),
        pytest.param(b"customer=c1&region=mars&channel=web", "'mars' is not served", id="region"),
        pytest.param(b"customer=c1&region=eu-west&channel=fax", "'fax' is not one", id="channel"),
        pytest.param(b"", "customer is missing", id="empty"),
    ],
)
def test_bad_request_is_refused_with_its_reason(query: bytes, says: str) -> None:
    """It is answered with 400 and recorded as a failed decision."""
    with pytest.raises(ValueError, match=says):
        parse_request(query, REGIONS)


def test_offer_with_the_highest_expected_margin_is_made() -> None:
    """Not the dearest, and not the likeliest."""
    offers = {
        "accessory": "18.00 7.20 0.22",
        "bundle": "64.00 19.80 0.17",
        "upgrade": "129.00 34.00 0.05",
    }
    assert price(offers) == Priced("bundle", Decimal("64.00"), Decimal("3.366000"))
