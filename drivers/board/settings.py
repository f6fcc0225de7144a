"""What a host decides before it arms a board, and what a board says it is doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["BoardSettings", "BoardState"]


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """Limits first, then levels and times; codes and microseconds as on the wire.

    Attributes:
        input_limit: largest absolute input code.
        nudge_limit: largest absolute nudge code.
        program_limit: largest programming and gate code.
        pulse_limit: most pulses a device and exchange.
        dead_man_ms: silence after which the board falls to its safe state.
        settle_us: from applying a drive to tracking the nodes.
        acquire_us: for which a bank tracks them.
        dead_zone: of the comparators, ADC codes.
        scheme: of programming pulses.
        level_codes: amplitudes for setting and resetting; 0: no pulses will be asked for.
        gate_codes: gate voltages for setting and resetting.
        width_us: of a pulse.
    """

    input_limit: int
    nudge_limit: int
    program_limit: int = 0
    pulse_limit: int = 0
    dead_man_ms: int = 5000
    settle_us: int = 100
    acquire_us: int = 20
    dead_zone: int = 0
    scheme: Literal["HALF", "THIRD", "GATE"] = "HALF"
    level_codes: tuple[int, int] = (0, 0)
    gate_codes: tuple[int, int] = (0, 0)
    width_us: int = 10

    def pairs(self) -> list[tuple[str, str]]:
        """Headers and values in the order to send: limits first."""
        return [
            ("LIM:INP", str(self.input_limit)),
            ("LIM:NUDG", str(self.nudge_limit)),
            ("LIM:PROG", str(self.program_limit)),
            ("LIM:PULS", str(self.pulse_limit)),
            ("DEAD", str(self.dead_man_ms)),
            ("TIM:SETT", str(self.settle_us)),
            ("TIM:ACQ", str(self.acquire_us)),
            ("COMP:DEAD", str(self.dead_zone)),
            ("PROG:SCH", self.scheme[:4]),
            ("PROG:LEV", ",".join(map(str, self.level_codes))),
            ("PROG:GATE", ",".join(map(str, self.gate_codes))),
            ("PROG:WIDT", str(self.width_us)),
        ]


@dataclass(frozen=True, slots=True)
class BoardState:
    """What a board is doing.

    Attributes:
        armed: whether anything may be energised.
        n_isolated: nodes whose diode, amplifier and nudge source are cut off.
        floating: input lines are cut off.
        interlock_closed: see the name.
    """

    armed: bool
    n_isolated: int
    floating: bool
    interlock_closed: bool
