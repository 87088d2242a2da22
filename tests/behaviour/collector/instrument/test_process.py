from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def run_script(script: str) -> None:
    """Run Python in a process of its own; it must end with 0."""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_import_needs_nothing_but_opentelemetry() -> None:
    """The base install is what a customer's service takes: no web, no store, no redis."""
    run_script(
        """
import sys
from opentelemetry.sdk import _logs, trace  # whatever OpenTelemetry itself needs is there
allowed = {"opentelemetry", "collector", *sys.stdlib_module_names}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed:
            raise ImportError(f"{name} is not part of the base install")
sys.meta_path.insert(0, Refuse())
import collector.instrument
ours = {name for name in sys.modules if name.startswith("collector.")}
assert ours == {
    "collector.core", "collector.core.assignment", "collector.core.clock",
    "collector.core.errors", "collector.core.event_schema", "collector.core.times",
    "collector.instrument", "collector.instrument.clock_error",
    "collector.instrument.current", "collector.instrument.decision",
    "collector.instrument.delay", "collector.instrument.export", "collector.instrument.forks",
    "collector.instrument.hooks", "collector.instrument.instrument",
    "collector.instrument.packet_sample", "collector.instrument.seal",
    "collector.instrument.tcp_info",
    "collector.provenance", "collector.provenance.checkpoint",
    "collector.provenance.event", "collector.provenance.records",
}, ours
"""
    )


def test_forked_worker_exports_its_own_decisions() -> None:
    """Servers fork their workers after the application is loaded; threads stay behind."""
    run_script(
        """
import os, warnings
warnings.simplefilter("ignore")
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from collector.instrument import DecisionInstrument
instrument = DecisionInstrument(InMemorySpanExporter(), Resource({}), export_every_s=3600)
instrument.begin("offer").end()
pid = os.fork()
if pid == 0:
    instrument.begin("offer").end()
    os._exit(0 if instrument.flush() and instrument.exported == 1 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert instrument.flush() and instrument.exported == 1
"""
    )


def test_forked_worker_sends_over_a_connection_of_its_own() -> None:
    """Over one that parent and child share, each reads answers that were meant for the other."""
    run_script(
        """
import os, threading, warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
warnings.simplefilter("ignore")
from opentelemetry.sdk.resources import Resource
from collector.instrument import DecisionExporter, DecisionInstrument
peers = []
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        peers.append(self.client_address)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
exporter = DecisionExporter(f"http://127.0.0.1:{server.server_port}/v1/traces")
instrument = DecisionInstrument(exporter, Resource({}), export_every_s=3600)
def send():
    instrument.begin("offer").end()
    return instrument.flush() and instrument.failed == 0
assert send() and instrument.exported == 1
pid = os.fork()
if pid == 0:
    os._exit(0 if send() and instrument.exported == 1 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert send() and instrument.exported == 2
first, child, last = peers
assert first == last != child, peers
"""
    )


@pytest.mark.parametrize("start", ["fork", "forkserver", "spawn"])
def test_worker_of_a_pool_exports_what_it_has_left(start: str, tmp_path: Path) -> None:
    """A pool ends its workers past `atexit`: those that live less than a round sent nothing."""
    script = tmp_path / "job.py"
    script.write_text(
        """
import multiprocessing, sys
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from collector.instrument import DecisionInstrument
class Writer(SpanExporter):
    def export(self, spans):
        with open(sys.argv[2], "a") as file:
            file.writelines(f"{span.name}\\n" for span in spans)
        return SpanExportResult.SUCCESS
instrument = DecisionInstrument(Writer(), Resource({}), export_every_s=3600)
def work(number):
    instrument.begin(f"offer-{number}").end()
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        pool.map(work, range(4))
        pool.close()
        pool.join()
"""
    )
    found = tmp_path / "found"
    ours = {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script, start, found], check=True, env=ours)
    assert sorted(found.read_text().splitlines()) == [f"decide offer-{n}" for n in range(4)]
