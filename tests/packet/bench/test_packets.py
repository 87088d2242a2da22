from __future__ import annotations

import subprocess
import sys

import pytest

from packet.bench import packets as bench
from tests.support.tree import ROOT


@pytest.mark.integration
def test_benchmark_of_files_runs_both_commands_as_a_user_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """How many times as fast is a machine's matter; that both read the whole mix is a promise."""
    lines: list[str] = []
    command = [sys.executable, "-c", "from dashboard.cli.main import main; main()", "capture"]
    figures = bench.run_packets(1, lines.append, command, packets=2_000)
    assert set(figures) == {
        "packets_per_s", "packets", "x_tshark", "x_scapy", "x_dpkt", "tshark_packets_per_s",
        "scapy_packets_per_s", "dpkt_packets_per_s", "lines_packets_per_s",
        "table_packets_per_s", "x_tshark_lines", "x_tshark_table",
    }  # fmt: skip
    assert figures["packets"] >= 2_000
    assert all(each > 0 for each in figures.values())
    assert len(lines) == 1
    assert capsys.readouterr().out == ""


def test_benchmark_without_its_rival_names_the_extra() -> None:
    """The service does without dpkt; who asks for the benchmark hears what it takes."""
    code = (
        "import sys; sys.modules['dpkt'] = None; from packet.bench.packets import run_packets; "
        "run_packets(1, print, [])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "pip install 'millworth[bench]'" in result.stderr.splitlines()[-1]
