"""I/O: browsers that signed in with a token: what is kept of each, and the cookie that shows it.

They are kept in memory, so a restart ends them all, and a process that serves pages beside others
knows its own alone. A cookie holds 256 random bits and nothing else.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from collector.auth.gate import Gate, Sender
from collector.core.clock import Clock
from collector.core.log import get_logger
from collector.core.times import NS_PER_S

_LOG = get_logger("dashboard")
# Of those who signed in the oldest are forgotten first.
SESSIONS_MAX: Final = 10_000
_NAME: Final = "millworth-session"
_SECRET_BYTES: Final = 32
_S_PER_HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that signed in."""

    sender: Sender
    ends_ns: int  # Unix ns


class Sessions:
    """Who signed in; safe to use from several threads.

    Args:
        gate: that knows the tokens, and the proxy that is trusted.
        clock: the time.
        hours: that a session lasts.
        public_url: by which browsers reach a proxy in front of us, "" without one.
    """

    def __init__(self, gate: Gate, clock: Clock, hours: float, public_url: str = "") -> None:
        self.gate = gate
        self._clock = clock
        self._lasts_ns = round(hours * _S_PER_HOUR) * NS_PER_S
        self._public = urlsplit(public_url)
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._lock = threading.Lock()
        self._has_warned = False

    def open(self, sender: Sender, scope: Scope) -> str:
        """Return the Set-Cookie header of a new session; it ends no later than its token."""
        self._warn_of_lost_host(scope)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        now_ns = self._clock.now_ns()
        ends_ns = min(now_ns + self._lasts_ns, sender.expires_ns or 2**63)
        with self._lock:
            self._sessions[_digest(secret)] = Session(sender, ends_ns)
            while len(self._sessions) > SESSIONS_MAX:
                self._sessions.popitem(last=False)
        return self._cookie(scope, secret, (ends_ns - now_ns) // NS_PER_S)

    def find(self, scope: Scope) -> Sender | None:
        """Return whose session the cookie of a request shows, None without a good one."""
        presented = self._presented(scope)
        with self._lock:
            session = self._sessions.get(_digest(presented))
            if session is not None and session.ends_ns <= self._clock.now_ns():
                del self._sessions[_digest(presented)]
                session = None
        return None if session is None else session.sender

    def end(self, scope: Scope) -> str:
        """End the session of a request; return the header that has its browser drop the cookie."""
        with self._lock:
            self._sessions.pop(_digest(self._presented(scope)), None)
        return self._cookie(scope, "", 0)

    def _presented(self, scope: Scope) -> str:
        """Return the secret that a request shows; of two, none: which is ours is not known."""
        pairs = [
            pair.strip().partition("=")
            for header in Headers(scope=scope).getlist("cookie")
            for pair in header.split(";")
        ]
        name = self._name(scope)
        found = [value for key, _, value in pairs if key == name]
        return found[0] if len(found) == 1 else ""

    def _cookie(self, scope: Scope, secret: str, seconds: int) -> str:
        secure = "; Secure" if self._is_secure(scope) else ""
        return (
            f"{self._name(scope)}={secret}; Path=/; Max-Age={max(seconds, 0)}; HttpOnly; "
            f"SameSite=Strict{secure}"
        )

    def _name(self, scope: Scope) -> str:
        # With this prefix no page reached without TLS, and no other host, can put one in its place.
        return f"__Host-{_NAME}" if self._is_secure(scope) else _NAME

    def _warn_of_lost_host(self, scope: Scope) -> None:
        """Say once that a proxy hands on another Host than the one that the browser asked for."""
        headers = Headers(scope=scope)
        is_ours = urlsplit(headers.get("origin", "")).netloc == self._public.netloc
        if self._has_warned or self._public.scheme != "https" or not is_ours:
            return
        if not self._is_secure(scope):
            self._has_warned = True
            _LOG.warning(
                "proxy_loses_host",
                host=headers.get("host", "")[:100],
                public_url=self._public.geturl(),
                remedy="have the proxy send the browser's Host, in nginx `proxy_set_header Host "
                "$host;` in the location itself; until then the cookie of a sign-in has no Secure",
            )

    def _is_secure(self, scope: Scope) -> bool:
        """Return whether the browser speaks TLS, with us or with the proxy in front."""
        if scope.get("scheme") == "https":
            return True
        headers = Headers(scope=scope)
        if self._public.scheme == "https" and headers.get("host", "") in (
            self._public.netloc,
            self._public.hostname,
        ):
            return True
        client: tuple[str, int] | None = scope.get("client")
        return (
            client is not None
            and self.gate.proxy.trusts(client[0])
            and headers.getlist("x-forwarded-proto") == ["https"]
        )


def _digest(secret: str) -> bytes:
    # Looked up by its hash: how long that takes tells nothing of a secret that is there.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
