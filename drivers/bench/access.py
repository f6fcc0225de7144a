"""Single devices of passive arrays through the matrix: reading and pulses.

A device is read with its row on ``high``, its column on ``low`` at 0 V and every other line of all
arrays on ground, so that no current sneaks past it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from drivers.bench.access_pulses import AccessPulses
from drivers.bench.access_sources import AccessSources, Readings
from drivers.bench.config import BenchConfig
from drivers.bench.ledger import PulseLedger
from drivers.bench.lines import Lines, idle_state, work_state
from drivers.bench.roles import Sleep, Source, Switch
from drivers.instruments.smu import SmuReading
from hil.arrays import Floats, IntArray
from hil.errors import InstrumentError, UsageError

__all__ = ["Access", "AccessEquipment"]


class AccessEquipment(Protocol):
    """The part of a bench's equipment that is used here."""

    @property
    def sources(self) -> dict[str, Source]:
        """By the names of the bench file."""
        ...

    @property
    def switches(self) -> dict[str, Switch]:
        """Likewise."""
        ...


class _Place(NamedTuple):
    """Where a device is."""

    array: int
    row: int
    column: int

    @property
    def lines(self) -> tuple[str, str]:
        """Names of its row and column."""
        return f"a{self.array}.r{self.row}", f"a{self.array}.c{self.column}"


class Access:
    """Reads and pulses single devices; nothing is sent before :meth:`energise`.

    Whoever calls :meth:`read` or :meth:`pulse` has brought all other sources to 0 before, and calls
    :meth:`connect_work` afterwards.  Between these calls, and whenever relays move, the sources
    here are at 0 V.

    Args:
        config: the bench file.
        equipment: its instruments, prepared before :meth:`energise`.
        sleep: waits.
        ledger: counts the pulses of the bench; one of its own if omitted.

    Raises:
        ConfigurationError: the bench file describes no access.
    """

    def __init__(
        self,
        config: BenchConfig,
        equipment: AccessEquipment,
        sleep: Sleep,
        ledger: PulseLedger | None = None,
    ) -> None:
        self._config = config
        self._topology = config.network.topology
        self._sources = AccessSources(config, equipment.sources, sleep)
        self._lines = Lines(config, equipment.switches)
        self._ground = dict.fromkeys(config.lines(), "ground")
        self._shapes = [(x.tails.size, x.heads.size) for x in self._topology.groups]
        self._pulses = AccessPulses(config, self._sources, self._lines)
        self._ledger = ledger or PulseLedger(
            self._topology.n_devices, config.programming.budget_pulses
        )

    def energise(self) -> None:
        """Aim the access sources at 0 V with the compliance of readings, and switch them on."""
        self._sources.energise()

    def connect_work(self) -> None:
        """Join every line to what it works with in phases, and to nothing else; checked."""
        self._lines.put(work_state(self._config))

    def connect_idle(self) -> None:
        """Leave every line as ``idle`` of the bench file says; checked."""
        self._lines.put(idle_state(self._config))

    def write_counts(self) -> IntArray:
        """(n_devices,) pulses applied, those of a train that failed included."""
        return self._ledger.counts()

    def load_write_counts(self, counts: IntArray) -> None:
        """Go on counting from ``counts`` (n_devices,)."""
        self._ledger.load(counts)

    def check(self, devices: IntArray) -> None:
        """Refuse numbers (n,) that no device has.

        Raises:
            UsageError: there is no such device.
        """
        self._places(np.asarray(devices))

    def read(self, devices: IntArray | None = None) -> Floats:
        """Conductances of single devices, one exchange with the matrix and one with the source.

        Both polarities are read, so that constant offsets of source and meter cancel.

        Args:
            devices: (n,) their numbers; None: all.

        Returns:
            (n,) siemens, in the order of ``devices``.

        Raises:
            UsageError: there is no such device.
            InstrumentError: a source was in compliance or a reading beyond its range; says which
                device, its lines and what is likely.
        """
        wanted = np.arange(self._topology.n_devices) if devices is None else np.asarray(devices)
        places = self._places(wanted)
        volts = self._sources.reading.largest_volts
        found = np.empty(wanted.size)
        with self._sources.rest_on_failure():
            self._sources.use(self._sources.reading)
            for index in sorted(range(wanted.size), key=lambda k: _along_a_snake(places[k])):
                row, column = places[index].lines
                self._lines.put(self._ground | {row: "high", column: "low"})
                readings = self._sources.read([volts, -volts])
                found[index] = self._siemens(int(wanted[index]), places[index], readings)
        return found

    def pulse(self, counts: IntArray) -> None:
        """Apply signed pulses, positive ones raising a conductance, in as few passes as possible.

        Counts beyond ``programming.most_pulses`` are cut down to it: what a device is asked to
        take beyond is not applied.

        Args:
            counts: (n_devices,) integers.

        Raises:
            UsageError: wrong shape or dtype; nothing was sent.
            SafetyError: a device would get more than its budget; nothing was sent.
            ConfigurationError: the scheme needs what the bench file does not describe.
            ProgramError: a source was in compliance during a pass: its devices got an unknown
                number of pulses. Nothing is repeated, and later passes are not applied.
        """
        most = self._config.programming.most_pulses
        if counts.shape != (self._topology.n_devices,) or counts.dtype.kind not in "iu":
            raise UsageError(
                f"pulse needs {self._topology.n_devices} integers, one a device; got "
                f"{counts.dtype} of shape {counts.shape}"
            )
        self._pulses.refuse_scheme()
        clipped = np.clip(counts.astype(np.int64), -most, most)
        self._ledger.check(clipped)
        with self._sources.rest_on_failure():
            # Counted before they are sent: what fails half way has happened all the same.
            self._pulses.apply(clipped, self._ledger.add)

    def _siemens(self, device: int, place: _Place, readings: Readings) -> float:
        """Conductance from readings at both polarities.

        ``low`` measures what comes out of it, which is minus what the device brings.
        """
        for high, low in zip(readings.high, readings.low, strict=True):
            for role, reading in (("high", high), ("low", low)):
                if reading.in_compliance:
                    raise self._unreadable(device, place, role, "was in compliance", high, low)
                if reading.overflow:
                    raise self._unreadable(device, place, role, "read beyond its range", high, low)
        up, down = (h.volts - low.volts for h, low in zip(*readings, strict=True))
        if not up - down > self._sources.reading.largest_volts:
            high, low = readings.high[0], readings.low[0]
            raise self._unreadable(device, place, "high", "did not reach its level", high, low)
        return -(readings.low[0].amps - readings.low[1].amps) / (up - down)

    def _unreadable(
        self,
        device: int,
        place: _Place,
        role: str,
        what: str,
        high: SmuReading,
        low: SmuReading,
    ) -> InstrumentError:
        row, column = place.lines
        where = f"device {device} itself"
        if abs(low.amps) < 0.5 * abs(high.amps):
            where = f"other devices of {row}"
        return InstrumentError(
            f"device {device} (array {place.array}, lines {row} and {column}) could not be read: "
            f"{self._sources.channel(role)}, access.{role}, {what} ({high.volts:.4g} V, "
            f"{high.amps:.4g} A into {row}, {-low.amps:.4g} A out of {column}). Most flows through "
            f"{where}: probably a short there, or crosspoints that lead to other lines than the "
            f"bench file says, or access.read_amps of {self._sources.reading.limit_amps:g} A is "
            f"too low for all devices of {row} together",
            device=device,
            lines=(row, column),
            channel=self._sources.channel(role),
            high=high,
            low=low,
        )

    def _places(self, devices: IntArray) -> list[_Place]:
        n_devices = self._topology.n_devices
        if devices.ndim != 1 or devices.dtype.kind not in "iu":
            raise UsageError(
                f"devices are named by integers; got {devices.dtype} of shape {devices.shape}"
            )
        if devices.size and not (devices.min() >= 0 and devices.max() < n_devices):
            raise UsageError(f"devices have numbers from 0 to {n_devices - 1}; got others")
        places = []
        for device in devices.tolist():
            array = next(k for k, x in enumerate(self._topology.slices) if device < x.stop)
            inside = device - self._topology.slices[array].start
            places.append(_Place(array, *divmod(inside, self._shapes[array][1])))
        return places


def _along_a_snake(place: _Place) -> _Place:
    """Order in which one line at a time changes: columns there and back, row by row."""
    return place if place.row % 2 == 0 else place._replace(column=-place.column)
