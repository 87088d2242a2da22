"""Pure: the rules for personal data, those that are shipped, and the settings of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from pydantic import ConfigDict, Field, SecretStr, model_validator

from collector.core.config import Section
from collector.core.event_schema import EPOCH, KID, OUTCOME_SIGNED, PREV, PRODUCER, SEQ, SIGNED, TAG

KEYS_FILE: Final = "identifiers.key"  # in the directory of the log
# What the packet room links the spans of servers by; the packets themselves have it too.
PEER_ADDRESSES: Final = ("client.address", "net.peer.ip")


class Action(StrEnum):
    """What becomes of a value."""

    TOKENISE = "tokenise"  # a keyed token, of another key each period
    HASH = "hash"  # a keyed token that stays the same
    DROP = "drop"
    KEEP = "keep"


class IdentifierRule(Section):
    """One rule: an attribute and what becomes of its value."""

    attribute: str = Field(
        pattern=r"^[^*]+\*?$", description="Name of an attribute; a * at its end takes any ending"
    )
    action: Action = Field(description="tokenise, hash, drop or keep")


class IdentifiersConfig(Section):
    """What becomes of personal data before it is logged or stored."""

    # A refused key must not be printed by the error that refuses it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    enabled: bool = Field(default=True, description="Whether any rule is applied")
    defaults: bool = Field(
        default=True, description="Whether the shipped rules apply too; your own come first"
    )
    patterns: tuple[Literal["email", "card", "phone", "url", "bearer"], ...] = Field(
        default=("email", "card", "phone", "url", "bearer"),
        description="Values replaced in any text: e-mail addresses, card and international "
        "telephone numbers, secrets in URLs, tokens of headers",
    )
    rotation_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="Tokens are of another key after so many days; 0 keeps one key",
    )
    keys: SecretStr | None = Field(
        default=None,
        description="kid:64 hex digits, newest first, commas between; from the environment",
    )
    keys_path: Path | None = Field(
        default=None,
        description="... or a file of them, mode 0600; by default one is made beside the log",
    )
    rules: tuple[IdentifierRule, ...] = Field(
        default=(), description="Your own rules; an exact name goes before a prefix"
    )

    @model_validator(mode="after")
    def _leaves_figures_alone(self) -> IdentifiersConfig:
        require_untouched(self, {name: name for name in UNTOUCHED})
        return self


def require_untouched(config: IdentifiersConfig, names: Mapping[str, str]) -> None:
    """Raise ValueError where a rule would change what is sealed or what figures come from.

    Args:
        config: the rules.
        names: ours, and as what it is sent.
    """
    for rule in config.rules:
        if rule.action is Action.KEEP:
            continue
        for ours, sent in names.items():
            if ours in UNTOUCHED and _covers(rule.attribute, sent.lower()):
                raise ValueError(
                    f"rules: {rule.attribute!r} covers {sent}, which producers seal or figures "
                    "are summed and grouped by, so it cannot be replaced; send the identifier "
                    "under a name of its own"
                )


class EncryptionConfig(Section):
    """Encryption of the write-ahead log and of the bytes in `rejected`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    keys: SecretStr | None = Field(
        default=None,
        description="kid:64 hex digits, newest first, commas between; from the environment",
    )
    keys_path: Path | None = Field(
        default=None,
        description="... or a file of them, mode 0600; without either nothing is encrypted",
    )


# The wire names of ours that rules leave alone, except those of JOINED: what is sealed, and what
# figures are summed and grouped by. Rows would have NULL in the place of an amount.
UNTOUCHED: Final = (
    *(name for name in SIGNED if "." in name),
    *(name for name in OUTCOME_SIGNED if "." in name),
    KID, PRODUCER, EPOCH, SEQ, PREV, TAG,
    "service.name",
)  # fmt: skip
# Of those, no pattern is looked for in what says whose a seal is, nor in what is a number: an
# honest event would be one that was tampered with, and an amount would be NULL.
EXACT: Final = (
    KID, PRODUCER, SEQ, "decision.value_usd", "decision.injected_delay_ns",
    "decision.ts.ingress", "decision.ts.transform", "decision.ts.decision", "decision.ts.egress",
    "outcome.revenue", "outcome.margin",
)  # fmt: skip

# Rows find each other by these, over months: their tokens are of the key that does not rotate.
JOINED: Final = ("decision.id", "outcome.key", "outcome.id")

_TOKENISED: Final = (
    # OpenTelemetry semantic conventions.
    "enduser.id", "user.id", "user.email", "user.name", "user.full_name", "user.hash",
    "client.address", "net.peer.ip", "http.client_ip", "device.id", "app.installation.id",
    "http.request.header.x-forwarded-for", "http.request.header.forwarded",
    "http.request.header.x-real-ip", "http.request.header.true-client-ip",
    "http.request.header.cf-connecting-ip", "db.query.parameter.*",
    # Common habits.
    "email", "email_address", "mail", "e_mail",
    "phone", "phone_number", "mobile", "msisdn", "telephone",
    "user_id", "userid", "userId", "user.login", "username", "user_name", "user.phone", "login",
    "customer.id", "customer_id", "customerId", "customer.email", "customer.name",
    "customer.phone", "customer.address",
    "first_name", "last_name", "full_name", "given_name", "family_name",
    "address.street", "street_address",
    "ssn", "tax_id", "national_id", "passport_number", "date_of_birth", "dob", "birth_date",
    "card.number", "card_number", "credit_card", "pan", "iban", "account_number",
)  # fmt: skip

# Of what is often said under one word, the part that is personal: figures are grouped by the rest,
# such as shipping.method, billing.plan, phone.model and a country.
_ADDRESS: Final = (
    "street", "line1", "line2", "zip", "zip_code", "zipcode", "postcode", "postal_code",
    "postalcode",
)  # fmt: skip
_PERSON: Final = (
    "name", "email", "mail", "phone", "mobile", "fax", "telephone", "contact", "recipient",
    "address", "address1", "address2", "address_line1", "address_line2", *_ADDRESS,
    *(f"address.{part}" for part in _ADDRESS),
)  # fmt: skip
_PARTS: Final = {
    "person": ("id", "login", "username", "age", "gender", *_PERSON),
    "billing": ("account", *_PERSON),
    "shipping": _PERSON,
    "email": ("address", "to", "from", "cc", "bcc", "sender", "recipient", "recipients"),
    "phone": ("number", "home", "work", "mobile"),
    "credit_card": ("number", "no", "holder", "holder_name", "name", "expiry", "expires"),
}

_DROPPED: Final = (
    "http.request.header.authorization", "http.request.header.proxy-authorization",
    "http.request.header.cookie", "http.request.header.x-api-key",
    "http.request.header.x-auth-token", "http.request.header.x-csrf-token",
    "http.response.header.set-cookie", "rpc.grpc.request.metadata.authorization",
    "rpc.request.metadata.authorization", "rpc.connect_rpc.request.metadata.authorization",
    "geo.location.*",
    "password", "passwd", "pwd", "secret", "client_secret", "api_key", "apikey", "access_token",
    "refresh_token", "id_token", "auth_token", "authorization", "cookie", "set-cookie", "cvv",
    "cvc", "card.cvv", "card_cvv",
)  # fmt: skip

# What the last word of any name says by itself, however the words are joined: lastName,
# customer.last_name, payment.iban.
_LAST_WORDS: Final = {
    **dict.fromkeys(
        (
            "firstname", "lastname", "fullname", "givenname", "familyname", "surname",
            "middlename", "maidenname", "birthdate", "dateofbirth",
            "emailaddress", "mailaddress", "phonenumber", "telephonenumber",
            "mobilephone", "mobilenumber", "msisdn", "streetaddress",
            "postaladdress", "homeaddress", "ssn", "socialsecuritynumber", "taxid", "nationalid",
            "passportnumber", "iban", "accountnumber", "bankaccount", "bankaccountnumber",
            "cardnumber", "creditcard", "creditcardnumber",
        ),
        Action.TOKENISE,
    ),
    **dict.fromkeys(
        (
            "password", "passwd", "passphrase", "clientsecret", "apikey", "accesstoken",
            "refreshtoken", "idtoken", "authtoken", "sessiontoken", "bearertoken", "privatekey",
            "cvv", "cvc",
        ),
        Action.DROP,
    ),
}  # fmt: skip

DEFAULT_RULES: Final = (
    *(IdentifierRule(attribute=name, action=Action.TOKENISE) for name in _TOKENISED),
    *(
        IdentifierRule(attribute=f"{group}.{part}", action=Action.TOKENISE)
        for group, parts in _PARTS.items()
        for part in parts
    ),
    *(IdentifierRule(attribute=name, action=Action.DROP) for name in _DROPPED),
)


class Rules:
    """Which action a name has, however it is capitalised.

    An exact name goes before a prefix, a long prefix before a short.
    """

    def __init__(
        self,
        config: IdentifiersConfig,
        joined: Mapping[str, str],
        keep: Iterable[str],
        names: Mapping[str, str],
    ) -> None:
        # A rule for one of the two names is one for both, since a file has ours and spans theirs.
        self._other_name = {**joined, **{theirs: ours for ours, theirs in joined.items()}}
        self.joined = frozenset(self._other_name)
        self.exact = frozenset(EXACT).union(names[ours] for ours in EXACT if ours in names)
        theirs = (names[ours].lower() for ours in UNTOUCHED if ours in names)
        self._untouched = frozenset(UNTOUCHED).union(theirs)
        shipped = DEFAULT_RULES if config.defaults else ()
        kept = [IdentifierRule(attribute=name, action=Action.KEEP) for name in keep]
        tiers = (config.rules, kept, shipped) if config.enabled else ()
        self._tiers = [_tier(rules) for rules in tiers]
        self._last_words = _LAST_WORDS if config.enabled and config.defaults else {}
        self._known: dict[str, Action | None] = {}

    def action(self, name: str) -> Action | None:
        """Return what becomes of the values of an attribute, None where nothing does."""
        try:
            return self._known[name]
        except KeyError:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            action = self._known[name] = self._find(name)
            return action

    def _find(self, name: str) -> Action | None:
        action = self._spelled_action(name) or self._spelled_action(self._other_name.get(name, ""))
        if action is Action.TOKENISE and name in self.joined:
            return Action.HASH
        return None if action is Action.KEEP else action

    def _spelled_action(self, spelling: str) -> Action | None:
        name = spelling.lower()
        if name in self._untouched:
            return None
        for exact, prefixes in self._tiers:
            action = exact.get(name)
            if action is None:
                action = next((a for prefix, a in prefixes if name.startswith(prefix)), None)
            if action is not None:
                return action
        return self._last_words.get(_last_word(name))


def _last_word(name: str) -> str:
    """Return what stands behind the last dot, without what joins its words."""
    return name.rpartition(".")[2].replace("_", "").replace("-", "")


_KNOWN_MAX: Final = 16_384  # names that senders make up must not fill the memory


def _tier(rules: Iterable[IdentifierRule]) -> tuple[Mapping[str, Action], list[tuple[str, Action]]]:
    exact: dict[str, Action] = {}
    prefixes: dict[str, Action] = {}
    for rule in rules:
        attribute = rule.attribute.lower()
        if attribute.endswith("*"):
            prefixes.setdefault(attribute[:-1], rule.action)
        else:
            exact.setdefault(attribute, rule.action)
    return exact, sorted(prefixes.items(), key=lambda item: -len(item[0]))


def _covers(spelling: str, name: str) -> bool:
    attribute = spelling.lower()
    return name.startswith(attribute[:-1]) if attribute.endswith("*") else name == attribute
