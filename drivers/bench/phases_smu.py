"""Wiring (a): a source an input line, a current source an output, a scanning voltmeter.

Whether a source was in compliance is told without messages of its own, if the bench file allows:

* Nudge sources clamp the very voltages that are scanned. An output near a nudge's compliance is
  seen in the scan of its own drive.
* Input sources cannot reach a compliance that is high enough, whatever the network settles to, with
  all devices inside their window (:func:`can_be_limited`). Those that can are asked after every
  scan, one exchange an instrument; a higher ``phases.input_limit_amps`` saves that.
* Every instrument tells, when its levels change, about the moment before, when others may have
  changed already. A compliance that it tells of, with a device beyond its window, say, counts
  against all drives since it last changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.bench.config import BenchConfig, SmuPhasesConfig
from drivers.bench.consistency import split_channel
from drivers.bench.envelope import phase_drop_volts
from drivers.bench.equipment import Equipment
from drivers.bench.phases import compared
from drivers.bench.roles import Sleep, Source
from drivers.bench.settling import settle_seconds, slower_seconds
from drivers.bench.sources import Aimed
from hil.arrays import BoolArray, Floats
from hil.errors import ConfigurationError
from hil.substrate import Comparisons, Drive, Settled

__all__ = ["SmuPhases", "can_be_limited", "free_output_volts"]

_AT_COMPLIANCE = 0.98
"""Share of a nudge's compliance from which an output may be clamped, for all that source and meter
can tell."""
_SLACK = 1.0 + 1e-9


def can_be_limited(config: BenchConfig) -> BoolArray:
    """(n_inputs,) whether an input source could reach ``phases.input_limit_amps``.

    The most that a row can draw: all its devices at the upper end of their window, with the
    largest drop that :func:`~drivers.bench.envelope.phase_drop_volts` allows.
    """
    phases, network = _smu(config), config.network
    topology = network.topology
    most_amps = np.zeros(topology.n_nodes)
    for group, drop_volts in zip(topology.groups, phase_drop_volts(config), strict=True):
        most_amps[group.tails] += group.heads.size * network.g_max_siemens * drop_volts
    return np.asarray(most_amps[topology.inputs] > _SLACK * phases.input_limit_amps)


def free_output_volts(config: BenchConfig) -> float:
    """The most that an output reaches while no nudge source drives the network."""
    phases = _smu(config).model_copy(update={"nudge_limit_volts": 0.0})
    return phase_drop_volts(config.model_copy(update={"phases": phases}))[-1] / 2.0


def _smu(config: BenchConfig) -> SmuPhasesConfig:
    if not isinstance(config.phases, SmuPhasesConfig):
        raise ConfigurationError(f"phases.kind is {config.phases.kind}, where smu is needed")
    return config.phases


@dataclass(frozen=True, slots=True)
class _Channels:
    """One instrument's channels: their names, by their places among inputs and outputs."""

    source: Source
    names: dict[int, str]


class _Verdicts:
    """Which drives are spoiled; drives are counted through the batch.

    Args:
        n_channels: of all instruments.
        n_drives: of the batch.
    """

    def __init__(self, n_channels: int, n_drives: int) -> None:
        self.spoiled: NDArray[np.bool_] = np.zeros(n_drives, np.bool_)
        self._since = [0] * n_channels

    def tell(self, place: int, now: int, limited: bool) -> None:
        """A channel was or was not in compliance until drive ``now``."""
        if limited:
            self.spoiled[self._since[place] : now] = True
        self._since[place] = now


class SmuPhases:
    """Phases by source-measure units; see :class:`~drivers.bench.phases.Phases`.

    In a free phase the nudge sources stay on at 0 A, which is an open circuit to within their
    offset.

    Args:
        config: the bench file.
        equipment: its instruments, prepared.
        sleep: waits.

    Raises:
        ConfigurationError: another wiring, or the settle time cannot be told.
    """

    def __init__(self, config: BenchConfig, equipment: Equipment, sleep: Sleep) -> None:
        self._config, self._phases, self._sleep = config, _smu(config), sleep
        self._topology = config.network.topology
        self._voltmeter = equipment.voltmeters[self._phases.voltmeter]
        self._read_nodes = config.network.read_nodes
        self._channels = (*self._phases.inputs, *self._phases.outputs)
        self._instruments = _grouped(self._channels, equipment)
        self._levels: Floats = np.full(len(self._channels), np.nan)
        """As far as known; NaN: not."""
        self._asked = self._limited_inputs()
        limit_volts = self._phases.nudge_limit_volts
        self._rest_clamps = free_output_volts(config) > _SLACK * limit_volts
        self._settle_seconds = settle_seconds(config)

    def energise(self) -> None:
        """Aim every source at 0, its limits before its level; then switch the outputs on.

        Raises:
            HilError: an instrument refused; outputs may be on, at 0.
        """
        phases = self._phases
        volts = Aimed("volts", phases.input_limit_amps, phases.max_input_volts)
        amps = Aimed("amps", phases.nudge_limit_volts, phases.max_nudge_amps)
        for instrument in self._instruments:
            for place, name in instrument.names.items():
                instrument.source.aim(name, volts if place < len(phases.inputs) else amps)
                self._levels[place] = 0.0
        for instrument in self._instruments:
            instrument.source.switch(True)

    def settle_each(self, drives: Sequence[Drive]) -> list[Settled]:
        """Example by example, drive by drive; float64 volts, inputs as they are asked for.

        One exchange for each instrument whose levels change and one scan; afterwards all levels
        are 0, which brings the last verdicts. An example is not ok in a drive in which a source
        was, or may have been, in compliance, or a reading is beyond the range (NaN).
        """
        if not drives:
            return []
        wanted = np.stack([self._wanted(drive) for drive in drives], axis=1)
        batch, n_drives, n_channels = wanted.shape
        verdicts = _Verdicts(n_channels, batch * n_drives)
        scans = np.empty((batch * n_drives, self._read_nodes.size))
        for now, levels in enumerate(wanted.reshape(-1, n_channels)):
            self._apply(levels, verdicts, now)
            if self._settle_seconds > 0.0:
                self._sleep(self._settle_seconds)
            scans[now] = self._voltmeter.scan()[0]
            for source, names in self._asked:
                if any(reading.in_compliance for reading in source.measure(names).values()):
                    verdicts.spoiled[now] = True
        self._apply(np.zeros(n_channels), verdicts, batch * n_drives)
        volts = np.empty((batch * n_drives, self._topology.n_nodes))
        inputs, nudges = np.split(wanted.reshape(-1, n_channels), [self._topology.inputs.size], 1)
        volts[:, self._topology.inputs] = inputs
        volts[:, self._read_nodes] = np.where(np.isfinite(scans), scans, np.nan)
        clamped = self._may_be_clamped(volts[:, self._topology.outputs], nudges)
        ok = np.isfinite(scans).all(axis=1) & ~clamped & ~verdicts.spoiled
        return [Settled(volts[k::n_drives].copy(), ok[k::n_drives]) for k in range(n_drives)]

    def compare(self, first: Drive, second: Drive, dead_zone_volts: float) -> Comparisons:
        """Compare in software what was scanned."""
        before, after = self.settle_each([first, second])
        return compared(self._topology, before, after, dead_zone_volts)

    def rest(self) -> None:
        """All levels to 0; nothing is sent to instruments that are there already.

        Then nodes get the time to lose what they hold: relays that open on a charge are hot too.
        """
        n_channels = len(self._channels)
        self._apply(np.zeros(n_channels), _Verdicts(n_channels, 0), 0)
        if self._settle_seconds > 0.0:
            self._sleep(self._settle_seconds)

    def know(self, conductance_siemens: Floats) -> None:
        """Wait longer if these conductances need it; (n_devices,)."""
        self._settle_seconds = slower_seconds(
            self._config, conductance_siemens, self._settle_seconds
        )

    def _wanted(self, drive: Drive) -> Floats:
        """(batch, n_channels) levels, float64."""
        volts, amps = drive.input_volts, drive.nudge_amps
        if amps is None:
            amps = np.zeros((len(volts), self._topology.outputs.size))
        return np.concatenate([volts, amps], axis=1, dtype=np.float64)

    def _apply(self, levels: Floats, verdicts: _Verdicts, now: int) -> None:
        """Send what changes, in one exchange an instrument.

        Args:
            levels: (n_channels,).
            verdicts: on what was before, to be told.
            now: drive that begins.
        """
        moves = levels != self._levels
        for instrument in self._instruments:
            places = [place for place in instrument.names if moves[place]]
            if not places:
                continue
            names = instrument.names
            sent = {names[place]: float(levels[place]) for place in places}
            self._levels[places] = np.nan  # until the instrument has answered
            limited = instrument.source.step(sent)
            self._levels[places] = levels[places]
            for place in places:
                verdicts.tell(place, now, limited[names[place]])

    def _may_be_clamped(self, output_volts: Floats, nudge_amps: Floats) -> BoolArray:
        """(n,) whether a nudge source may have been in compliance.

        At 0 A it only is where the network itself brings its output there.
        """
        near = np.abs(output_volts) >= _AT_COMPLIANCE * self._phases.nudge_limit_volts
        if not self._rest_clamps:
            near &= nudge_amps != 0.0
        return np.asarray(near.any(axis=1))

    def _limited_inputs(self) -> list[tuple[Source, list[str]]]:
        """Input channels that have to be asked whether they are in compliance."""
        limited = np.flatnonzero(can_be_limited(self._config)).tolist()
        found = [
            (each.source, [name for place, name in each.names.items() if place in limited])
            for each in self._instruments
        ]
        return [(source, names) for source, names in found if names]


def _grouped(channels: Sequence[str], equipment: Equipment) -> list[_Channels]:
    """Channels by instrument; outputs come first.

    So a nudge source tells about a drive before inputs change, and nudges are the first to go.
    """
    found: dict[str, dict[int, str]] = {}
    for place, channel in enumerate(channels):
        instrument, name = split_channel(channel)
        found.setdefault(instrument, {})[place] = name
    order = sorted(found, key=lambda instrument: -max(found[instrument]))
    return [_Channels(equipment.sources[name], found[name]) for name in order]
