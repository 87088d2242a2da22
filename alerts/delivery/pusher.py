"""I/O: sends every alert that fires to every Alertmanager, again and again, and then its end.

There an alert ends by itself at its `endsAt`, which lies four re-sends ahead: two that are lost, or
a restart of ours, end nothing. What was sent when is not kept: after a restart everything that
fires is sent at once. An end is sent again for 15 minutes, for a peer that was away.

Source: prometheus/compliance, the specification of alert generators.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from http import HTTPStatus

from alerts.config import AlertmanagerConfig, AlertsConfig
from alerts.delivery.alertmanager import (
    BATCH_MAX,
    Pushed,
    annotations_of,
    body,
    labels_of,
    link,
)
from alerts.delivery.lanes import Lanes
from alerts.delivery.pinned import PinnedClient
from alerts.rows import AlertEvent
from alerts.rules.base import NO_WORDING, Wording
from alerts.state.retry import Reply
from alerts.state.routed import OpenAlert, Routed, RoutedAlerts, open_alerts
from alerts.state.sqlite import AlertStore
from collector.core.counters import Counters
from collector.core.log import get_logger
from collector.core.times import NS_PER_MINUTE, NS_PER_S

_PATH = "/api/v2/alerts"
_HEADERS = {"content-type": "application/json", "user-agent": "millworth"}
# An end is sent for so long (the specification's 15 min).
_END_AGAIN_NS = 15 * NS_PER_MINUTE
_AHEAD = 4
# A peer that fails is tried again within this: its alerts must not lapse meanwhile.
_PAUSE_S_MAX = 15.0
# These say that something in the batch is wrong: what is right in it may have been taken.
_SPLIT = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

_log = get_logger("alerts")


class _Peer:
    """One Alertmanager, and what this process has sent to it."""

    def __init__(self, config: AlertmanagerConfig) -> None:
        self.config = config
        self.failures = 0  # in a row
        self.blocked_until_ns = 0
        self._sent: dict[str, tuple[int, bool]] = {}  # by episode: when, and whether it was over

    def due(self, alerts: Sequence[Pushed], now_ns: int, resend_ns: int) -> list[Pushed]:
        """Return what has to be sent now."""
        known = {alert.episode_id for alert in alerts}
        self._sent = {key: sent for key, sent in self._sent.items() if key in known}
        # A clock that was set back makes nothing wait as long.
        if 0 < self.blocked_until_ns - now_ns <= _PAUSE_S_MAX * NS_PER_S:
            return []
        return [alert for alert in alerts if self._is_due(alert, now_ns, resend_ns)]

    def note(self, alerts: Sequence[Pushed], now_ns: int) -> None:
        """Note that alerts were taken, or refused as they are: either way their turn is over."""
        self.failures = 0
        for alert in alerts:
            self._sent[alert.episode_id] = now_ns, alert.is_over

    def pause(self, now_ns: int) -> None:
        """Leave the peer alone for a while: full jitter, up to a time that doubles."""
        self.failures += 1
        most_s = min(_PAUSE_S_MAX, 2.0 ** min(self.failures, 10))
        drawn = hashlib.sha256(f"{self.config.name}/{now_ns}".encode()).digest()
        share = int.from_bytes(drawn[:4], "big") / 2**32
        self.blocked_until_ns = now_ns + round(most_s * share * NS_PER_S)

    def _is_due(self, alert: Pushed, now_ns: int, resend_ns: int) -> bool:
        sent = self._sent.get(alert.episode_id)
        return sent is None or sent[1] != alert.is_over or abs(now_ns - sent[0]) >= resend_ns


class Pusher:
    """Pushes from the alert state, so that it goes on while the store of spans is away.

    Args:
        alert_state: what fires, what was sent, and what people did.
        config: the peers, and how often alerts are sent again.
        client: that they are sent by.
        counters: of what was sent.
        dashboard_url: where alerts link to, "" for nowhere.
        suppression: returns why an alert is not routed now, "" where it is.
    """

    def __init__(
        self,
        alert_state: AlertStore,
        config: AlertsConfig,
        client: PinnedClient,
        counters: Counters | None = None,
        dashboard_url: str = "",
        suppression: Callable[[AlertEvent, int], str] = lambda _event, _now_ns: "",
    ) -> None:
        self._alert_state = alert_state
        self._routed = RoutedAlerts(alert_state)
        self._peers = [_Peer(peer) for peer in config.alertmanagers]
        self._rules = {rule.name: rule for rule in config.all_rules}
        self._client = client
        self._counters = counters
        self._dashboard_url = dashboard_url
        self._suppression = suppression
        self._resend_ns = round(config.resend_s * NS_PER_S)
        self._ahead_ns = _AHEAD * max(self._resend_ns, round(config.interval_s * NS_PER_S))
        self._lanes = Lanes("alertmanager", len(self._peers))

    def push_due(self, now_ns: int, wait_s: float | None = None) -> int:
        """Send what is due; return how many alerts were taken by peers that answered meanwhile.

        Args:
            now_ns: the time.
            wait_s: how long to wait for the peers; None until each has answered or failed.
        """
        if not self._peers:
            return 0
        alerts = self._alerts(now_ns)
        for peer in self._peers:
            if self._lanes.is_free(peer.config.name):
                due = peer.due(alerts, now_ns, self._resend_ns)
                if due:
                    self._begin(peer, due, now_ns)
        return self._lanes.gather(wait_s)

    def failing_peers(self) -> list[str]:
        """Return the peers that did not take the last request."""
        return [peer.config.name for peer in self._peers if peer.failures]

    def close(self) -> None:
        """Wait for what is being sent."""
        self._lanes.close()

    def _alerts(self, now_ns: int) -> list[Pushed]:
        """Return what Alertmanagers should know now, and note what began and ended there."""
        self._routed.forget(now_ns - _END_AGAIN_NS)
        known, found = self._routed.all(), []
        firing = {alert.episode_id: alert for alert in open_alerts(self._alert_state)}
        for alert in firing.values():
            reason = self._suppression(alert.last, now_ns)
            pushed = self._firing(alert, known.get(alert.episode_id), reason, now_ns)
            if pushed is not None:
                found.append(pushed)
        for episode_id, routed in known.items():
            if episode_id not in firing:
                found.append(self._over(routed, now_ns))
        return found

    def _firing(
        self, alert: OpenAlert, routed: Routed | None, hidden: str, now_ns: int
    ) -> Pushed | None:
        if hidden and routed is None:
            return None
        labels = labels_of(alert.last) if routed is None else routed.labels
        ended_ns = routed.ended_ns if routed is not None and hidden else None
        if hidden and ended_ns is None:
            ended_ns = now_ns
            self._routed.end(alert.episode_id, now_ns, now_ns)
        elif not hidden and (routed is None or routed.ended_ns is not None):
            self._routed.begin(alert.episode_id, labels)
        return self._pushed(alert.last, labels, alert.started_ns, ended_ns, hidden)

    def _over(self, routed: Routed, now_ns: int) -> Pushed:
        last = self._alert_state.last_event(routed.episode_id)
        ended_ns = routed.ended_ns
        if ended_ns is None:
            ended_ns = now_ns if last is None else min(last.at_ns, now_ns)
            self._routed.end(routed.episode_id, ended_ns, now_ns)
        if last is None:
            return Pushed(routed.episode_id, routed.labels, {}, ended_ns, ended_ns, "")
        return self._pushed(last, routed.labels, last.started_ns, ended_ns)

    def _pushed(
        self,
        last: AlertEvent,
        labels: dict[str, str],
        started_ns: int,
        ended_ns: int | None,
        hidden: str = "",
    ) -> Pushed:
        url = link(self._dashboard_url, last.episode_id)
        annotations = annotations_of(last, self._wording(last.rule), hidden)
        return Pushed(last.episode_id, labels, annotations, started_ns, ended_ns, url)

    def _wording(self, rule: str) -> Wording:
        config = self._rules.get(rule)
        return NO_WORDING if config is None else config.wording("")

    def _begin(self, peer: _Peer, due: Sequence[Pushed], now_ns: int) -> None:
        self._lanes.begin(peer.config.name, lambda: self._push(peer, due, now_ns))

    def _push(self, peer: _Peer, due: Sequence[Pushed], now_ns: int) -> int:
        taken = 0
        for place in range(0, len(due), BATCH_MAX):
            batch = due[place : place + BATCH_MAX]
            reply = self._post(peer, batch, now_ns)
            if reply.status_code in _SPLIT:
                accepted = self._one_by_one(peer, batch, now_ns)
            else:
                accepted = self._settle(peer, batch, reply, now_ns)
            if accepted is None:
                break
            taken += accepted
        return taken

    def _one_by_one(self, peer: _Peer, batch: Sequence[Pushed], now_ns: int) -> int | None:
        """Send each alert of a refused batch alone: one that is bad must not hide the others."""
        taken = 0
        for alert in batch:
            reply = self._post(peer, [alert], now_ns)
            if reply.status_code in _SPLIT:
                peer.note([alert], now_ns)
                self._count(peer, "refused", 1)
                _log.error(
                    "alert_refused",
                    peer=peer.config.name,
                    episode_id=alert.episode_id,
                    labels=json.dumps(dict(alert.labels)),
                    said=reply.message,
                )
                continue
            accepted = self._settle(peer, [alert], reply, now_ns)
            if accepted is None:
                return None
            taken += accepted
        return taken

    def _settle(
        self, peer: _Peer, batch: Sequence[Pushed], reply: Reply, now_ns: int
    ) -> int | None:
        """Note the result of a request; return how many were taken, None where the peer failed."""
        code = reply.status_code
        if code is not None and 200 <= code < 300:
            peer.note(batch, now_ns)
            self._count(peer, "accepted", len(batch))
            if self._counters is not None:
                self._counters.alertmanager_success.labels(peer.config.name).set(now_ns / NS_PER_S)
            return len(batch)
        peer.pause(now_ns)
        self._count(peer, "failed", len(batch))
        if peer.failures == 1:
            _log.warning(
                "alertmanager_failed",
                peer=peer.config.name,
                detail=reply.error or f"HTTP {code}: {reply.message}",
            )
        return None

    def _post(self, peer: _Peer, batch: Sequence[Pushed], now_ns: int) -> Reply:
        return post_alerts(self._client, peer.config, batch, now_ns, self._ahead_ns)

    def _count(self, peer: _Peer, result: str, alerts: int) -> None:
        if self._counters is not None:
            self._counters.alertmanager_alerts.labels(peer.config.name, result).inc(alerts)


def post_alerts(
    client: PinnedClient,
    peer: AlertmanagerConfig,
    alerts: Sequence[Pushed],
    now_ns: int,
    ahead_ns: int,
) -> Reply:
    """Make one request to an Alertmanager; whatever goes wrong is in the reply."""
    content = body(alerts, now_ns, ahead_ns)
    return client.post(peer.url.rstrip("/") + _PATH, content, _HEADERS, peer.timeout_s)
