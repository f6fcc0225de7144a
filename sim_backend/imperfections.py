"""What all simulated substrates can be given besides their circuit; all of it off by default."""

from __future__ import annotations

from pydantic import Field

from hil.model import Model

__all__ = ["ImperfectConfig"]


class ImperfectConfig(Model):
    """Imperfections of a simulated substrate, and which chip it is."""

    chip_seed: int | None = Field(
        default=None, ge=0, lt=2**63, description="Of what differs from part to part; the "
        "experiment's seed if omitted.",
    )  # fmt: skip
    chip: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="SHA-256 of a chip that was kept, "
        "see: hil chip new; it is drawn from chip_seed if omitted.",
    )  # fmt: skip
