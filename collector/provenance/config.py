"""Pure: the settings of sealed decisions."""

from __future__ import annotations

from pydantic import Field

from collector.core.config import LocalPath, Section


class ProvenanceConfig(Section):
    """Sealed decisions: by which keys they are judged as they arrive."""

    keys_path: LocalPath | None = Field(
        default=None,
        description="Key ring in TOML, read again when it changes; without one nothing is judged",
    )
    required: bool = Field(
        default=False,
        description="A decision without a seal is a finding, and what is not proven is in no sum",
    )
    outcomes_required: bool = Field(
        default=False,
        description=(
            "An outcome that came over OTLP is in a sum only if its seal holds; "
            "what was imported from files always is"
        ),
    )
    missing_after_s: float = Field(
        default=30.0, gt=0, description="Time that an event may be late before it is missing"
    )
