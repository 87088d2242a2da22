from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from typer.testing import CliRunner

from collector.core.errors import InputError
from dashboard.cli.main import app
from packet.bench.traffic import http_capture
from packet.files.analyse import flows_of_file
from packet.files.reader import FileReport
from tests.support.tree import ROOT


def _handshake() -> bytes:
    client, server = {"sport": 40_000, "dport": 80}, {"sport": 80, "dport": 40_000}
    there, back = IP(src="10.0.0.1", dst="10.0.0.2"), IP(src="10.0.0.2", dst="10.0.0.1")
    frames = [
        Ether() / there / TCP(**client, flags="S", seq=100),
        Ether() / back / TCP(**server, flags="SA", seq=500, ack=101),
        Ether() / there / TCP(**client, flags="A", seq=101, ack=501),
    ]
    data = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)
    for index, frame in enumerate(map(bytes, frames)):
        data += struct.pack("<IIII", 1_700_000_000, index * 250_000, len(frame), len(frame)) + frame
    return data


def test_flows_of_a_capture_are_one_object_each(tmp_path: Path) -> None:
    """A file is read without any service."""
    path = tmp_path / "one.pcap"
    path.write_bytes(_handshake())
    result = CliRunner().invoke(app, ["capture", "--read", str(path), "--json"])
    assert result.exit_code == 0
    flow = json.loads(result.stdout)
    assert (flow["client_address"], flow["server_port"]) == ("10.0.0.1", 80)
    assert (flow["packets"], flow["handshake_rtt_ns"]) == (3, 500_000)


def test_file_that_is_no_capture_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    """One bad file among many must not hide the others."""
    good, bad, cut = tmp_path / "good.pcap", tmp_path / "bad.pcap", tmp_path / "cut.pcap"
    good.write_bytes(_handshake())
    bad.write_bytes(b"not a capture")
    cut.write_bytes(_handshake()[:-1])
    arguments = [part for path in (bad, cut, good) for part in ("--read", str(path))]
    result = CliRunner().invoke(app, ["capture", *arguments])
    assert result.exit_code == 1
    assert result.stdout.count("10.0.0.2 80") == 2
    assert "bad.pcap: pcap: begins with" in result.stderr
    assert "cut.pcap: the last" in result.stderr


def test_packets_are_one_object_each(tmp_path: Path) -> None:
    """The form that is compared with tshark's, frame by frame."""
    path = tmp_path / "one.pcap"
    path.write_bytes(_handshake())
    result = CliRunner().invoke(app, ["capture", "--read", str(path), "--packets", "--json"])
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["frame"] for line in lines] == [1, 2, 3]
    assert [line["rtt_ns"] for line in lines] == [None, 250_000, 250_000]
    assert [line["rtt_valid"] for line in lines] == [False, True, True]
    names = {
        "retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order",
        "duplicate_ack", "zero_window", "keep_alive", "lost_segment",
    }  # fmt: skip
    for line in lines:
        assert line.keys() == {
            "frame", "ts_ns", "flow_hash", "connection", "src_address", "src_port", "dst_address",
            "dst_port", "payload_bytes", "rtt_ns", "rtt_valid", "clock_step", *names,
        }  # fmt: skip
        assert not any(line[name] for name in (*names, "clock_step"))
    assert [line["ts_ns"] - lines[0]["ts_ns"] for line in lines] == [0, 250_000, 500_000]
    assert (lines[1]["src_address"], lines[1]["dst_port"]) == ("10.0.0.2", 40_000)
    flows = CliRunner().invoke(app, ["capture", "--read", str(path), "--json"])
    assert {line["flow_hash"] for line in lines} == {json.loads(flows.stdout)["flow_hash"]}


def _mixed(path: Path) -> None:
    path.write_bytes(http_capture(2_000, tunnelled=True))


def test_table_has_the_dearest_connections_and_says_how_many_there_are(tmp_path: Path) -> None:
    """A day's capture has as many as nobody reads, and the longest are not the dearest."""
    path = tmp_path / "one.pcap"
    _mixed(path)
    flows = [flow.as_json() for flow in flows_of_file(path, FileReport())]
    result = CliRunner().invoke(app, ["capture", "--read", str(path), "--top", "3"])
    rows = [line for line in result.stdout.splitlines() if " TCP " in line]
    most = sorted((flow["wire_bytes"] for flow in flows), reverse=True)[:3]
    assert f"3 of {len(flows)} connections by bytes; --top 0 shows all" in result.stderr
    told = [line.split()[9:11] for line in rows]
    assert [sum(int(each.replace(",", "")) for each in pair) for pair in told] == most
    assert all(line.rstrip().endswith("closed") for line in rows)
    every = CliRunner().invoke(
        app, ["capture", "--read", str(path), "--top", "0", "--sort", "begin"]
    )
    begun = [" ".join(line.split()[5:7]) for line in every.stdout.splitlines() if " TCP " in line]
    assert begun == sorted(begun)
    assert (len(begun), every.stderr) == (len(flows), "")


@pytest.mark.parametrize("what", ["packets", "json"])
def test_host_port_and_time_narrow_what_is_shown(tmp_path: Path, what: str) -> None:
    """What a packet is rests on all of them; what is shown is what was asked for."""
    path = tmp_path / "one.pcap"
    _mixed(path)

    def shown(*options: str) -> list[dict[str, Any]]:
        arguments = ["capture", "--read", str(path), f"--{what}", *options]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    every = shown()
    ends = [
        {each.get(f"{name}_address") for name in ("src", "dst", "client", "server")}
        for each in every
    ]
    of_one = [row for row, own in zip(every, ends, strict=True) if "10.0.0.2" in own]
    assert shown("--host", "10.0.0.2") == of_one != []
    assert shown("--host", "10.0.0.2/32") == of_one
    assert shown("--host", "10.0.0.0/8", "--port", "80") == every
    assert shown("--port", "81") == shown("--host", "fd00::/8") == []
    assert shown("--until", "2001-01-01") == shown("--from", "2101-01-01") == []
    assert shown("--from", "2001-01-01", "--until", "2101-01-01T00:00:00") == every


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "nobody"], "--host 'nobody' is neither an address nor a network"),
        (["--from", "yesterday"], "--from 'yesterday' is not an instant"),
    ],
)
def test_what_is_no_filter_is_named(tmp_path: Path, options: list[str], said: str) -> None:
    """Nothing is read before that is right."""
    path = tmp_path / "one.pcap"
    path.write_bytes(_handshake())
    result = _millworth("capture", "--read", str(path), *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr


def test_files_may_be_many_and_named_by_a_pattern(tmp_path: Path) -> None:
    """A shell expands *.pcap into arguments, and leaves it alone between quotes."""
    paths = [tmp_path / name for name in ("a.pcap", "b.pcap")]
    for path in paths:
        path.write_bytes(_handshake())
    by_shell = CliRunner().invoke(app, ["capture", "--json", "--read", *map(str, paths)])
    by_us = CliRunner().invoke(app, ["capture", "--json", "--read", str(tmp_path / "*.pcap")])
    assert by_shell.exit_code == by_us.exit_code == 0
    assert by_shell.stdout == by_us.stdout
    flows = [json.loads(line) for line in by_us.stdout.splitlines()]
    assert [flow["file"] for flow in flows] == ["a.pcap", "b.pcap"]


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Captures of many machines are called alike; what is theirs alone stays as short as it was."""
    paths = [tmp_path / name for name in ("web/x.pcap", "app/x.pcap", "app/y.pcap")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_handshake())
    for form in ([], ["--packets"]):
        result = CliRunner().invoke(app, ["capture", "--json", *form, *map(str, paths)])
        files = [json.loads(line)["file"] for line in result.stdout.splitlines()]
        assert list(dict.fromkeys(files)) == [str(paths[0]), str(paths[1]), "y.pcap"]


def test_capture_comes_through_a_pipe() -> None:
    """As from a compressor that we do not read, or from another machine."""
    result = subprocess.run(
        [sys.executable, "-c", _ENTRY, "capture", "--read", "/dev/stdin", "--json"],
        cwd=ROOT, input=_handshake(), capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(result.stdout)["packets"] == 3


@pytest.mark.parametrize("form", [[], ["--json"], ["--packets"]])
@pytest.mark.parametrize("name", ["*.pcap", "nope.pcap"])
def test_what_is_not_there_is_bad_usage(tmp_path: Path, name: str, form: list[str]) -> None:
    """An empty table, and exit 1, were taken for a capture without a connection."""
    result = CliRunner().invoke(app, ["capture", "--read", str(tmp_path / name), *form])
    assert isinstance(result.exception, InputError)
    assert f"{name}: there is no such file; correct the path, or the pattern" in str(
        result.exception
    )
    assert result.stdout == ""


def test_lines_go_to_standard_output_while_a_bar_is_drawn(tmp_path: Path) -> None:
    """An operator at a terminal sends the objects to a file, and sees how far it is."""
    path = tmp_path / "one.pcap"
    path.write_bytes(_handshake())
    reader, terminal = os.openpty()
    command = [sys.executable, "-c", "from dashboard.cli.main import main; main()"]
    result = subprocess.run(
        [*command, "capture", "--read", str(path), "--packets", "--json"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={"PATH": os.defpath, "TERM": "xterm", "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=True,
    )
    os.close(terminal)
    drawn = os.read(reader, 65_536)
    os.close(reader)
    assert b"one.pcap" in drawn
    assert b"rtt_ns" not in drawn
    assert [json.loads(line)["frame"] for line in result.stdout.splitlines()] == [1, 2, 3]


_ENTRY = "import sys; from dashboard.cli.main import main; main()"


def _millworth(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _ENTRY, *arguments], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_command_begins_without_what_it_does_not_need(tmp_path: Path) -> None:
    """It is run for hundreds of files, and what every command imports takes a second."""
    path = tmp_path / "one.pcap"
    path.write_bytes(_handshake())
    loaded = "import atexit, sys; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)));"
    result = subprocess.run(
        [sys.executable, "-c", loaded + _ENTRY, "capture", "--read", str(path), "--json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(result.stdout)["packets"] == 3
    unwanted = {
        "dashboard.cli.client",
        "pyarrow",
        "clickhouse_connect",
        "cryptography",
        "scapy",
        "pandas",
    }
    assert unwanted & set(result.stderr.split()) == set()


def test_command_says_the_same_whichever_way_it_begins(tmp_path: Path) -> None:
    """Help, bad usage and errors are those of all commands."""
    runner, none = CliRunner(), tmp_path / "none.pcap"
    none.write_bytes(b"not a capture")
    for arguments in (["--help"], ["--raed", "x"], ["--read", str(none)]):
        short = _millworth("capture", *arguments)
        whole = runner.invoke(app, ["capture", *arguments])
        assert short.returncode == whole.exit_code
        assert short.stdout.split() == whole.stdout.split()
    empty = _millworth("capture", "--packets")
    assert (empty.returncode, empty.stdout) == (2, "")
    assert empty.stderr == (
        "millworth: capture: --packets, --host, --port, --from and --until are of files; name one "
        "with --read\n"
    )
