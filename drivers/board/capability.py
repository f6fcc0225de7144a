"""What a board says of itself (SPECIFICATION.md, 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hil.errors import ProtocolError

__all__ = ["ArrayShape", "Capability"]


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """One array of devices: its first device, its rows and columns."""

    first: int
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Capability:
    """Sizes and ranges of a board.

    Attributes:
        protocol: version, ``major.minor``.
        n_inputs: input DACs.
        n_outputs: nudge current sources.
        n_nodes: nodes with holds.
        n_devices: programmable devices.
        dac_bits: of the input DACs.
        dac_volts: level at their largest code.
        nudge_bits: of the nudge sources.
        nudge_amps: level at their largest code.
        adc_bits: of readings.
        adc_volts: voltage at the largest code.
        program_bits: of programming levels and gates.
        program_volts: level at the largest code.
        has_comparators: one a device.
        schemes: of programming, some of ``HALF``, ``THIRD``, ``GATE``.
        queue_length: examples of one run.
        message_bytes: longest message.
        arrays: of devices, in their order.
    """

    protocol: str
    n_inputs: int
    n_outputs: int
    n_nodes: int
    n_devices: int
    dac_bits: int
    dac_volts: float
    nudge_bits: int
    nudge_amps: float
    adc_bits: int
    adc_volts: float
    program_bits: int
    program_volts: float
    has_comparators: bool
    schemes: tuple[str, ...]
    queue_length: int
    message_bytes: int
    arrays: tuple[ArrayShape, ...]

    @staticmethod
    def n_arrays(reply: str) -> int:
        """How many arrays a reply to ``:CAPability?`` announces.

        Raises:
            ProtocolError: it is no such reply.
        """
        return _number(_pairs(reply), "ARR", reply)

    @staticmethod
    def parsed(reply: str, arrays: Sequence[str]) -> Capability:
        """From the replies to ``:CAPability?`` and, one an array, ``:CAPability:ARRay?``.

        Keys that are not known are skipped: later boards may say more.

        Raises:
            ProtocolError: a key is missing, or a value no number.
        """
        pairs = _pairs(reply)
        n = {key: _number(pairs, key, reply) for key in _KEYS}
        return Capability(
            protocol=pairs.get("PROT", "0"),
            n_inputs=n["IN"],
            n_outputs=n["OUT"],
            n_nodes=n["NODE"],
            n_devices=n["DEV"],
            dac_bits=n["DACB"],
            dac_volts=n["DACR"] * 1e-6,
            nudge_bits=n["NUDB"],
            nudge_amps=n["NUDR"] * 1e-12,
            adc_bits=n["ADCB"],
            adc_volts=n["ADCR"] * 1e-6,
            program_bits=n["PRGB"],
            program_volts=n["PRGR"] * 1e-6,
            has_comparators=n["COMP"] != 0,
            schemes=tuple(w for i, w in enumerate(("HALF", "THIRD", "GATE")) if n["SCH"] >> i & 1),
            queue_length=n["QUE"],
            message_bytes=n["MSG"],
            arrays=tuple(_shape(text) for text in arrays),
        )


_KEYS = (
    "IN", "OUT", "NODE", "DEV", "DACB", "DACR", "NUDB", "NUDR", "ADCB", "ADCR", "PRGB", "PRGR",
    "COMP", "SCH", "QUE", "MSG",
)  # fmt: skip


def _pairs(reply: str) -> dict[str, str]:
    return {key: value for key, _, value in (part.partition("=") for part in reply.split(","))}


def _number(pairs: dict[str, str], key: str, reply: str) -> int:
    try:
        return int(pairs[key])
    except (KeyError, ValueError):
        raise ProtocolError(
            f"the board's capabilities give no number for {key}: {reply!r}. Its firmware does "
            "not follow the specification; update it",
            received=reply,
        ) from None


def _shape(text: str) -> ArrayShape:
    try:
        first, rows, columns = map(int, text.split(","))
    except ValueError:
        raise ProtocolError(
            f"the board describes an array of devices as {text!r}, not as first device, rows and "
            "columns; update its firmware",
            received=text,
        ) from None
    return ArrayShape(first, rows, columns)
