"""I/O: starts whichever recorder `packet.engine` names."""

from __future__ import annotations

from packet.config import PacketConfig
from packet.dumpcap import DumpcapRecorder, dumpcap_available
from packet.recorder import RecorderProcess, capture_available
from packet.recorder_rows import RunningRecorder


def start_recorder(config: PacketConfig) -> RunningRecorder:
    """Start recording.

    Raises:
        CaptureError: packets cannot be recorded here; the message has the remedy.
    """
    if config.engine == "dumpcap":
        return DumpcapRecorder.start(config)
    return RecorderProcess.start(config)


def recording_available(config: PacketConfig) -> str | None:
    """Return why packets cannot be recorded here and the remedy, None where they can."""
    reason = capture_available(config)
    if reason is None and config.engine == "dumpcap":
        reason = dumpcap_available(config)
    return reason
