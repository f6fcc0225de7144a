"""Wiring (b): a sample-and-hold board runs the phases (``drivers/board/SPECIFICATION.md``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from drivers.bench.board_fit import (
    MOST_SECONDS,
    SCHEMES,
    Levels,
    check_fits,
    microseconds,
    program_codes,
)
from drivers.bench.config import BenchConfig, BoardPhasesConfig
from drivers.bench.equipment import Equipment
from drivers.bench.phases import compared
from drivers.bench.roles import Sleep
from drivers.bench.settling import settle_seconds, slower_seconds
from drivers.board.codec import MAX_PHASES, MAX_SETS, Phase, RunReply
from drivers.board.conversion import Codes, Converter
from drivers.board.settings import BoardSettings
from hil.arrays import Floats, IntArray
from hil.errors import ConfigurationError, UsageError
from hil.substrate import Comparisons, Drive, Settled

__all__ = ["BoardPhases"]

_LARGEST_ZONE = 32767


class BoardPhases:
    """Phases by a board, a batch an exchange; see :class:`~drivers.bench.phases.Phases`.

    Args:
        config: the bench file.
        equipment: its instruments, prepared.
        sleep: not needed here, the board waits.

    Raises:
        ConfigurationError: another wiring, a board that does not fit the bench file, or a settle
            time that cannot be told.
    """

    def __init__(self, config: BenchConfig, equipment: Equipment, sleep: Sleep) -> None:
        if not isinstance(config.phases, BoardPhasesConfig) or equipment.board is None:
            raise ConfigurationError("phases.kind = board needs a board among the instruments")
        self._config, self._phases, self._board = config, config.phases, equipment.board
        self._can = can = self._board.capability
        check_fits(config, self._board.session.address, can)
        self._topology = config.network.topology
        self._inputs_at = _places(self._topology.inputs)
        self._read_at = _places(config.network.read_nodes)
        self._volts = Levels.of(can.dac_bits, can.dac_volts, self._phases.max_input_volts)
        self._amps = Levels.of(can.nudge_bits, can.nudge_amps, self._phases.max_nudge_amps)
        self._adc = Converter.nominal(can.adc_bits, can.adc_volts)
        self._settle_seconds = settle_seconds(config)
        self._dead_zone = 0

    # --- life ---------------------------------------------------------------------------------

    def energise(self) -> None:
        """Reset the board, set limits, then times and levels, all read back; then arm it.

        Raises:
            HilError: the board refused.
        """
        programming, phases = self._config.programming, self._phases
        levels, gates = program_codes(programming, self._can)
        self._dead_zone = 0
        self._board.configure(
            BoardSettings(
                input_limit=self._volts.limit,
                nudge_limit=self._amps.limit,
                program_limit=max(*levels, *gates),
                pulse_limit=programming.most_pulses,
                dead_man_ms=round(1e3 * phases.dead_man_seconds),
                settle_us=microseconds("phases.settle_seconds", self._settle_seconds),
                acquire_us=microseconds("phases.acquire_seconds", phases.acquire_seconds),
                scheme=SCHEMES[programming.scheme],
                level_codes=levels,
                gate_codes=gates,
                width_us=round(1e6 * programming.width_seconds),
            )
        )
        self._board.arm()

    def release(self) -> None:
        """Safe state, nodes isolated, input lines cut off: the array is another instrument's."""
        self._board.make_safe()
        self._board.float_lines(True)

    def resume(self) -> None:
        """Ground the lines and join the nodes again."""
        self._board.float_lines(False)
        self._board.arm()

    def rest(self) -> None:
        """Nothing to do: every run ends with inputs at 0 and nudges open."""

    def know(self, conductance_siemens: Floats) -> None:
        """Wait longer if these conductances need it; (n_devices,)."""
        seconds = slower_seconds(self._config, conductance_siemens, self._settle_seconds)
        seconds = min(seconds, MOST_SECONDS)  # what a board can wait
        if seconds > self._settle_seconds:
            self._board.set_settle_us(microseconds("phases.settle_seconds", seconds))
            self._settle_seconds = seconds

    # --- phases -------------------------------------------------------------------------------

    def settle_each(self, drives: Sequence[Drive]) -> list[Settled]:
        """All drives of all examples, one exchange for as many as have their inputs in common.

        Inputs that the board keeps are not sent again. Volts are of the inputs' type; inputs are
        those of the codes that were sent. An example is not ok in any drive of an exchange if one
        of them was in compliance, still moving, or beyond the range.

        Raises:
            SafetyError: a level beyond the limits; nothing was applied.
            HilError: the board refused, or did not answer.
        """
        settled: list[Settled] = []
        for run in self._runs(drives):
            phases = [Phase(_bank(k), word, read=True) for k, word in enumerate(run.words)]
            settled += self._states(run, self._exchange(run, phases))
        return settled

    def compare(self, first: Drive, second: Drive, dead_zone_volts: float) -> Comparisons:
        """Compare drops of a pair of phases, held one after the other, example by example.

        The dead zone is that of the nearest ADC code; boards with plain comparators have none.
        Without comparators, or if the two have different inputs, what was read is compared.

        Raises:
            UsageError: the dead zone is wider than the ADC's range.
            HilError: as :meth:`settle_each`.
        """
        runs = list(self._runs([first, second]))
        if not self._can.has_comparators or len(runs) > 1:
            before, after = self.settle_each([first, second])
            return compared(self._topology, before, after, dead_zone_volts)
        self._set_dead_zone(dead_zone_volts)
        words = runs[0].words
        pair = [Phase("A", words[0]), Phase("B", words[1], compare=True)]
        reply = self._exchange(runs[0], pair)
        assert reply.votes is not None
        return Comparisons(reply.votes, reply.status == 0)

    def pulse(self, counts: IntArray) -> None:
        """Apply (n_devices,) signed pulses; see :meth:`drivers.board.driver.Board.pulse`."""
        self._board.pulse(counts)

    # --- inside -------------------------------------------------------------------------------

    def _runs(self, drives: Sequence[Drive]) -> list[_Run]:
        """What to ask of the board; all levels are looked at before the first one is sent."""
        runs: list[_Run] = []
        volts: Floats | None = None
        codes: Codes | None = None
        for drive in drives:
            if codes is None or drive.input_volts is not volts:
                volts, codes = drive.input_volts, self._volts.codes(drive.input_volts)
            nudges = None if drive.nudge_amps is None else self._amps.codes(drive.nudge_amps)
            if not (runs and runs[-1].add(codes, nudges)):
                runs.append(_Run(codes))
                runs[-1].add(codes, nudges)
            runs[-1].types.append(drive.input_volts.dtype)
        return runs

    def _exchange(self, run: _Run, phases: Sequence[Phase]) -> RunReply:
        kept = self._board.loaded
        if kept is not None and np.array_equal(kept, run.input_codes):
            return self._board.rerun(phases, run.sets)
        return self._board.run(phases, run.input_codes, run.sets)

    def _states(self, run: _Run, reply: RunReply) -> Iterator[Settled]:
        """What was held and read, one state a phase."""
        ok = reply.status == 0
        sourced = self._volts.converter.levels(run.input_codes)
        for k, kind in enumerate(run.types):
            volts: Floats = np.empty((len(ok), self._topology.n_nodes), kind)
            volts[:, self._inputs_at] = sourced
            volts[:, self._read_at] = self._adc.levels(reply.readings[:, k])
            yield Settled(volts, ok)

    def _set_dead_zone(self, volts: float) -> None:
        codes = round(volts / float(self._adc.step))
        if codes > _LARGEST_ZONE:
            raise UsageError(
                f"a dead zone of {volts:.4g} V is {codes} codes of the board's ADC, which is more "
                f"than {_LARGEST_ZONE}; choose a narrower one"
            )
        if codes != self._dead_zone:
            self._board.set_dead_zone(codes)
            self._dead_zone = codes


@dataclass(slots=True)
class _Run:
    """Drives of the same inputs.

    Attributes:
        input_codes: (n, n_inputs).
        sets: (n, n_outputs) nudge codes each.
        words: for each drive its nudge set, with sign; 0: open.
        types: for each drive the type of its voltages.
    """

    input_codes: Codes
    sets: list[Codes] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    types: list[np.dtype[np.floating]] = field(default_factory=list)

    def add(self, input_codes: Codes, nudges: Codes | None) -> bool:
        """Take a drive; whether there is room for it, and its inputs are those of this run.

        A nudge that is the negative of another one is no set of its own.
        """
        same = input_codes is self.input_codes or np.array_equal(input_codes, self.input_codes)
        if not same or len(self.words) == MAX_PHASES:
            return False
        word = 0 if nudges is None else self._word(nudges)
        if abs(word) > MAX_SETS:
            return False
        if nudges is not None and abs(word) > len(self.sets):
            self.sets.append(nudges)
        self.words.append(word)
        return True

    def _word(self, nudges: Codes) -> int:
        for number, known in enumerate(self.sets, 1):
            for sign in (1, -1):
                if np.array_equal(nudges, sign * known):
                    return sign * number
        return len(self.sets) + 1


def _bank(place: int) -> Literal["A", "B"]:
    """Banks in turn: two phases that follow each other never share one."""
    return "B" if place % 2 else "A"


def _places(nodes: IntArray) -> slice | IntArray:
    """Nodes in a row as a slice, which is quicker to assign to."""
    if nodes.size and np.array_equal(nodes, np.arange(nodes[0], nodes[0] + nodes.size)):
        return slice(int(nodes[0]), int(nodes[-1]) + 1)
    return nodes
