"""The process behind the double: an embedded engine that speaks ClickHouse's HTTP interface.

Run by `Double` (clickhouse_double.py) alone. It answers what clickhouse-connect asks: a statement
in the URL or the body, settings and `param_*` in the URL, data after an INSERT, compressed or not;
errors carry `X-ClickHouse-Exception-Code`. Each request has an engine connection of its own, so
that settings end with it. `/control` sets the faults that the next requests meet.
"""

from __future__ import annotations

import base64
import email
import gzip
import io
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame  # type: ignore[import-untyped]  # ships no types

# Of a parameter, or a statement in one, by the default of a server's profile.
FIELD_BYTES_MAX = 128 * 1024

# What the interface itself consumes, not the query.
TRANSPORT = {
    "query", "database", "query_id", "wait_end_of_query", "client_protocol_version",
    "send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression",
}  # fmt: skip
STATUS = {516: 403, 497: 403, 164: 403, 60: 404, 81: 404, 62: 400, 47: 400, 159: 408, 241: 500}
INSERT = re.compile(rb"\s*INSERT\s+INTO\s+(.+?)\s+FORMAT\s+(\w+)\s*?(?:\n|$)", re.I | re.S)
CODE = re.compile(r"Code: (\d+)")
DECODE: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    # A block of rows is a frame.
    "lz4": lambda body: bytes(lz4.frame.LZ4FrameFile(io.BytesIO(body)).read()),
}
USERS = {"default": "", "writer": "secret", "viewer": "secret", "fixed": "secret"}
READONLY_USERS = {"viewer": 2, "fixed": 1}  # with 1 no setting may come along
CLUSTER = """<clickhouse><tcp_port>9000</tcp_port><remote_servers><{name}><shard>
<internal_replication>true</internal_replication>
<replica><host>127.0.0.1</host><port>9000</port></replica>
</shard></{name}></remote_servers></clickhouse>"""


class Refusal(Exception):  # noqa: N818 - an answer of the server, not a failure of the double
    """An exception of ClickHouse's, by code."""

    def __init__(self, code: int, name: str, text: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {text}. ({name}) (version 26.9.2.1)")


class Engine:
    """The embedded engine, and one connection to it that keeps it in memory."""

    def __init__(self, directory: Path, cluster: str) -> None:
        options = ""
        if cluster:
            config = directory.parent / "cluster.xml"
            config.write_text(CLUSTER.format(name=cluster))
            options = f"?config-file={config}"
        self._at = f"{directory}{options}"
        self._kept = chdb.connect(self._at)
        self._is_cluster = bool(cluster)

    def run(self, statement: bytes, parameters: dict[str, str], user: str) -> bytes:
        """Run one statement with the settings and parameters of its URL; return the answer."""
        settings = {
            name: value
            for name, value in parameters.items()
            if name not in TRANSPORT and not name.startswith("param_")
        }
        bound = {
            name.removeprefix("param_"): value
            for name, value in parameters.items()
            if name.startswith("param_")
        }
        if READONLY_USERS.get(user) == 1 and settings:
            raise Refusal(164, "READONLY", f"Cannot modify '{next(iter(settings))}' setting")
        connection = chdb.connect(self._at)
        try:
            if database := parameters.get("database"):
                self._check(connection, database)
            for name, value in sorted(settings.items(), key=lambda item: item[0] == "readonly"):
                quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                connection.query(f"SET {name} = '{quoted}'")
            if user in READONLY_USERS:
                connection.query(f"SET readonly = {READONLY_USERS[user]}")
            return self._execute(connection, statement, bound)
        finally:
            connection.close()

    def _check(self, connection: Any, database: str) -> None:  # noqa: ANN401 - chdb has no types
        try:
            connection.query(f"USE `{database}`")
        except Exception as error:
            raise Refusal(81, "UNKNOWN_DATABASE", f"Database {database} does not exist") from error

    def _execute(self, connection: Any, statement: bytes, bound: dict[str, str]) -> bytes:  # noqa: ANN401 - as above
        insert = INSERT.match(statement)
        if insert is None:
            text = statement.decode()
            if self._is_cluster:
                # One node: what a Keeper would be asked is left out.
                text = re.sub(r" ON CLUSTER '\w+'", "", text)
                text = re.sub(r"ENGINE = Replicated(\w*MergeTree)", r"ENGINE = \1", text)
                text = re.sub(r"\breplicated_dedup", "non_replicated_dedup", text)
                text = re.sub(r", \w+_deduplication_window_seconds = \d+", "", text)
            answer: bytes = connection.query(text, "TabSeparated", params=bound).bytes()
            return answer
        with tempfile.NamedTemporaryFile() as file:
            file.write(statement[insert.end() :])
            file.flush()
            target, form = insert[1].decode(), insert[2].decode()
            connection.query(f"INSERT INTO {target} FROM INFILE '{file.name}' FORMAT {form}")
        return b""


class Faults:
    """What goes wrong with which of the next requests, and a log of all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []
        self.released = threading.Event()
        self.met = threading.Event()

    def arm(self, fault: dict[str, Any]) -> None:
        """Add a fault: `kind`, `match`, `times`."""
        with self._lock:
            self.met.clear()
            self.released.clear()
            self._armed.append(fault)

    def heal(self) -> None:
        """Forget the faults, and let go of the requests that hang."""
        with self._lock:
            self._armed.clear()
            self.released.set()

    def takes_cut_during(self, begin: bytes) -> bool:
        """Say whether a request, of which the body has begun, is cut in the middle of it."""
        with self._lock:
            for fault in self._armed:
                if fault["kind"] == "cut_during" and fault["match"].encode() in begin:
                    self._armed.remove(fault)
                    return True
        return False

    def take(self, head: str) -> dict[str, Any]:
        """Return the fault that a statement meets, which is spent with it; else nothing."""
        with self._lock:
            for fault in self._armed:
                if fault["match"] in head and fault["times"] > 0:
                    fault["times"] -= 1
                    return fault
        return {}


class Handler(BaseHTTPRequestHandler):
    """One request of the HTTP interface."""

    protocol_version = "HTTP/1.1"
    wbufsize = (
        -1
    )  # head and body in one packet, else each answer waits 40 ms for an acknowledgement
    engine: ClassVar[Engine]
    faults: ClassVar[Faults]

    def do_GET(self) -> None:
        """Answer a probe, the log of requests, or a query in the URL."""
        path = urlsplit(self.path).path
        if path == "/ping":
            self._answer(200, b"Ok.\n")
        elif path == "/control":
            self._answer(200, json.dumps(self.faults.log).encode())
        else:
            self._query(b"")

    def do_POST(self) -> None:
        """Arm a fault, or run a statement."""
        if self.faults.takes_cut_during(self.rfile.peek(2000)):  # type: ignore[attr-defined]  # buffered
            self.close_connection = True  # with most of the body unread, so the client sees a reset
            return
        body = self._body()
        if urlsplit(self.path).path == "/control":
            asked = json.loads(body)
            if asked == {"heal": True}:
                self.faults.heal()
            elif asked == {"wait": True}:
                self.faults.met.wait()
            else:
                self.faults.arm(asked)
            self._answer(200, b"")
            return
        self._query(DECODE[self.headers.get("Content-Encoding", "")](body))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _query(self, body: bytes) -> None:
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if self.headers.get_content_type() == "multipart/form-data":
            # The client's way where parameters are too long for an address.
            parameters |= form_fields(self.headers["Content-Type"], body)
            body = b""
        query = parameters.get("query", "").encode()
        statement = query + b"\n" + body if query and body else query or body
        head = statement[:2000].decode(errors="replace")
        self.faults.log.append({"head": head, "parameters": parameters})
        fault = self.faults.take(head)
        kind = fault.get("kind", "")
        if kind == "foreign":
            self._answer(404, b"<html>Not Found</html>")
            return
        if kind == "busy":
            self._answer(503, b"Service Unavailable")
            return
        if kind in {"cut_before", "hang"}:
            self._cut(wait=kind == "hang")
            return
        try:
            if max(len(value.encode()) for value in ("", *parameters.values())) > FIELD_BYTES_MAX:
                raise Refusal(1000, "POCO", "HTML Form Exception: Field value too long")
            if kind == "code":
                raise Refusal(fault["code"], fault["name"], "as the test asked")
            answer = self.engine.run(statement, parameters, self._user())
        except Exception as error:  # noqa: BLE001 - whatever the engine says is an answer
            code = int(found[1]) if (found := CODE.search(str(error))) else 1002
            headers = {"X-ClickHouse-Exception-Code": str(code)}
            self._answer(STATUS.get(code, 500), f"{error}\n".encode(), headers)
            return
        if kind in {"cut_after", "hang_after"}:
            self._cut(wait=kind == "hang_after")
            return
        if kind == "cut_answer":
            self._answer(200, answer, cut=len(answer) // 2)
            self.close_connection = True
            return
        self._answer(200, answer, {"X-ClickHouse-Summary": "{}"})

    def _cut(self, *, wait: bool) -> None:
        """Close the connection without an answer, at once or when the fault is healed."""
        self.faults.met.set()
        if wait:
            self.faults.released.wait()
        self.close_connection = True

    def _user(self) -> str:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return "default"
        user, _, password = base64.b64decode(given).decode().partition(":")
        if USERS.get(user) != password:
            raise Refusal(
                516,
                "AUTHENTICATION_FAILED",
                f"{user}: Authentication failed: password is incorrect, or there is no user with "
                "such name",
            )
        return user

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test reads the log of requests instead."""


def form_fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form by name."""
    form = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    fields = {}
    for part in form.walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            name = part.get_param("name", header="content-disposition")
            fields[str(name)] = content.decode()
    return fields


def main(directory: str, port: str, cluster: str) -> None:
    """Serve until the pipe on standard input is closed, so that no double outlives its test."""
    Handler.engine = Engine(Path(directory), cluster)
    Handler.faults = Faults()
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # as a server that is killed: the engine may wait minutes for what hangs


if __name__ == "__main__":
    main(*sys.argv[1:])
