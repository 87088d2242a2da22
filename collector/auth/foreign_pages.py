"""Pure: whether a request is one that a foreign web page made in a browser on this machine.

A page that has its own name resolve to 127.0.0.1 is stopped by the Host header; a page that posts
to us across sites is stopped by Sec-Fetch-Site and Origin, which no page can set. A header that
comes twice is refused: which of the two another program would believe is not known.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
_TOLD = (b"host", b"origin", b"sec-fetch-site", b"sec-fetch-dest")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def page_refusal(
    headers: Iterable[tuple[bytes, bytes]],
    hosts: Collection[str] | None,
    *,
    public_url: str = "",
    reads: bool = False,
) -> str | None:
    """Return why a request is refused, None where no page can have made it to do harm.

    Args:
        headers: of the request, names in lower case.
        hosts: names under which we are reached, lower case, IPv6 in brackets; None for any.
        public_url: of a proxy in front of us, whose pages are ours too.
        reads: it changes nothing. A page elsewhere may link to it; what it loads as a picture, a
            script or a frame it cannot read, and would have us work for nothing.
    """
    by_name: dict[bytes, str] = {}
    for name, value in headers:
        if name in _TOLD:
            if name in by_name:
                return f"two {name.decode()} headers; send one"
            by_name[name] = value.decode("latin-1").strip()
    host = by_name.get(b"host", "")
    if hosts is not None and not _is_served(_host_name(host), hosts):
        return f"host {host[:100]!r} is not served here; use 127.0.0.1"
    is_foreign = by_name.get(b"sec-fetch-site", "none") not in ("same-origin", "none")
    if reads:
        if is_foreign and by_name.get(b"sec-fetch-dest", "document") != "document":
            return "a page of another site may link to this, and not load it"
        return None
    if is_foreign:
        return "a request from another site may not change, send or query anything here"
    origin = by_name.get(b"origin")
    if origin is not None and not _is_ours(origin, host, public_url):
        return (
            f"origin {origin[:100]!r} may not change, send or query anything here; if the pages "
            "are reached by it, set dashboard.public_url to it"
        )
    return None


def _is_ours(origin: str, host: str, public_url: str) -> bool:
    """Return whether a page is served by us: another port of this machine is another program.

    Where browsers come by https, whoever is on the way may serve a page of our name by http.
    """
    try:
        page, public = urlsplit(origin), urlsplit(public_url)
        if (page.scheme, public.scheme) == ("http", "https") and page.hostname == public.hostname:
            return False
        ours = (urlsplit(f"{page.scheme}://{host}"), public)
        place = (page.hostname, page.port or _DEFAULT_PORTS.get(page.scheme))
        return page.hostname is not None and any(
            place == (url.hostname, url.port or _DEFAULT_PORTS.get(url.scheme)) for url in ours
        )
    except ValueError:  # a port that is no number, brackets that do not close
        return False


def _is_served(name: str, hosts: Collection[str]) -> bool:
    """Return whether a name is ours; any loopback address is, since no page has one."""
    if name.rstrip(".") in hosts:
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _host_name(netloc: str) -> str:
    """Return the host of `host:port`, in lower case."""
    if netloc.startswith("["):
        return netloc.partition("]")[0].lower() + "]"
    return netloc.partition(":")[0].lower()
