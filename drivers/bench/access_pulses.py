"""Programming pulses of whole crossbars through the matrix, by V/2 or V/3.

Selected rows and columns are pulsed by ``+V/2`` on ``high`` and ``-V/2`` on ``low``. The other
lines of the array are on ground (V/2: devices on one selected line see V/2), or on ``third`` and
``two_thirds``, V/3 and 2 V/3 above ``low`` (V/3: no other device sees more).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from drivers.bench.access_sources import AccessSources
from drivers.bench.config import BenchConfig
from drivers.bench.envelope import pass_amps
from drivers.bench.lines import Lines
from drivers.bench.passes import Pass, plan, split
from hil.arrays import IntArray
from hil.errors import ConfigurationError, ProgramError

__all__ = ["AccessPulses"]

_MOST_IN_TRAIN = 50
"""Pulses of one exchange, two levels each."""


class AccessPulses:
    """Applies signed pulses pass by pass.

    Args:
        config: the bench file.
        sources: that reach single devices.
        lines: of all arrays.
    """

    def __init__(self, config: BenchConfig, sources: AccessSources, lines: Lines) -> None:
        self._config = config
        self._programming = config.programming
        self._topology = config.network.topology
        self._sources = sources
        self._lines = lines
        self._ground = dict.fromkeys(config.lines(), "ground")
        self._shapes = [(x.tails.size, x.heads.size) for x in self._topology.groups]

    def refuse_scheme(self) -> None:
        """Refuse what cannot be done through the matrix.

        Raises:
            ConfigurationError: the scheme needs what the bench file does not describe.
        """
        scheme = self._programming.scheme
        if scheme == "gate":
            raise ConfigurationError(
                "programming.scheme = gate is what a board does; through the matrix it is half or "
                "third"
            )
        if scheme == "third" and not self._sources.can_hold:
            raise ConfigurationError(
                "programming.scheme = third through the matrix needs access.third and "
                "access.two_thirds; describe them, or choose half"
            )

    def apply(self, counts: IntArray, sending: Callable[[IntArray], object]) -> None:
        """Give every device its pulses.

        Args:
            counts: (n_devices,) signed.
            sending: told (n_devices,) pulses before each train that brings them is sent.

        Raises:
            ProgramError: a source was in compliance during a pass.
        """
        passes = list(self._planned(counts))
        if passes:
            self._sources.use(self._sources.programming)
        for number, (array, one) in enumerate(passes, start=1):
            self._lines.put(self._selected(array, one))
            for first in range(0, one.n_pulses, _MOST_IN_TRAIN):
                count = min(_MOST_IN_TRAIN, one.n_pulses - first)
                sending(self._flat(array, one, count))
                limited = self._train(one, count)
                if limited:
                    raise self._failed(array, one, f"pass {number} of {len(passes)}", limited)

    def _planned(self, counts: IntArray) -> Iterator[tuple[int, Pass]]:
        """Passes of all arrays, each with the number of its array."""
        for array, (part, shape) in enumerate(
            zip(self._topology.slices, self._shapes, strict=True)
        ):
            for whole in plan(counts[part].reshape(shape)):
                for one in split(whole, partial(self._fits, shape)):
                    yield array, one

    def _fits(self, shape: tuple[int, int], one: Pass) -> bool:
        """Whether the sources can deliver what the devices of a pass may draw together."""
        amps = max(pass_amps(self._config, shape, len(one.rows), len(one.columns)))
        # A single device always fits: the bench file was refused otherwise.
        return amps <= self._programming.limit_amps or len(one.rows) == len(one.columns) == 1

    def _selected(self, array: int, one: Pass) -> dict[str, str]:
        """Bus of every line in a pass."""
        state = dict(self._ground)
        if self._programming.scheme == "third":
            n_rows, n_columns = self._shapes[array]
            state |= {f"a{array}.r{i}": "third" for i in range(n_rows)}
            state |= {f"a{array}.c{j}": "two_thirds" for j in range(n_columns)}
        state |= {f"a{array}.r{i}": "high" for i in one.rows}
        state |= {f"a{array}.c{j}": "low" for j in one.columns}
        return state

    def _flat(self, array: int, one: Pass, count: int) -> IntArray:
        """(n_devices,) pulses of a part of a pass."""
        found = np.zeros(self._topology.n_devices, np.int64)
        block = found[self._topology.slices[array]].reshape(self._shapes[array])
        block[np.ix_(one.rows, one.columns)] = one.direction * count
        return found

    def _train(self, one: Pass, count: int) -> list[str]:
        """Some pulses of a pass; channels that were in compliance."""
        programming = self._programming
        volts = programming.set_volts if one.direction > 0 else -programming.reset_volts
        if programming.scheme != "third":
            return self._sources.train(volts, count, programming.width_seconds)
        # V/3 with four sources that do not move at once. Against low, high is at V, third at V/3
        # and two_thirds at 2 V/3; what all of them start from is half way, so that they go to
        # V/2, -V/2, -V/6 and V/6. third and two_thirds move first and come back last:
        #   high, low at rest   other devices see 0 - V/6, -V/6 - 0 or, with both, -V/6 - V/6,
        #   high at V/2         and then V/2 - V/6 = V/3 on its rows,
        #   low at -V/2         and -V/6 + V/2 = V/3 on its columns,
        # in whichever order each two of them move, so never more than V/3. With low at 0 V, as
        # the scheme is usually drawn, two_thirds alone would bring 2 V/3 to rows still at 0 V;
        # and if high or low moved first, V/2 would come to devices on the other lines.
        # A holding source in compliance would let its lines go towards high or low: the second
        # call, at the same levels, says whether one is, before anything is pulsed.
        self._sources.hold(-volts / 6.0, volts / 6.0)
        limited = self._sources.hold(-volts / 6.0, volts / 6.0)
        if not limited:
            limited = self._sources.train(volts, count, programming.width_seconds)
        return list(dict.fromkeys(limited + self._sources.hold(0.0, 0.0)))

    def _failed(self, array: int, one: Pass, told: str, limited: list[str]) -> ProgramError:
        direction = "set" if one.direction > 0 else "reset"
        devices = np.flatnonzero(self._flat(array, one, 1))
        return ProgramError(
            f"{', '.join(limited)} was in compliance in {told} ({direction}, array {array}, rows "
            f"{_listed(one.rows)}, columns {_listed(one.columns)}): these {devices.size} devices "
            "got an unknown number of pulses. Nothing is repeated and later passes were not "
            "applied. Probably a short, or all devices of a line together draw more than "
            f"programming.limit_amps of {self._programming.limit_amps:g} A: read the devices, "
            "then raise the limit if they bear it",
            array=array,
            devices=devices,
            channels=limited,
        )


def _listed(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, numbers[:6]))
    return shown if len(numbers) <= 6 else f"{shown} and {len(numbers) - 6} more"
