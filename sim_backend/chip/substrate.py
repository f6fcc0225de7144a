"""Devices that are programmed by pulses, inside of a network that settles exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.arrays import AnyArray, BoolArray, Floats, IntArray
from hil.errors import ConfigurationError, ProgramError, UsageError
from hil.substrate import Drive, KeepsState
from sim_backend.chip.config import DevicesConfig
from sim_backend.chip.exposure import read_directions, selected_with
from sim_backend.chip.wrapper import Inner, Wrapper, kept_inside
from sim_backend.devices import WriteCounts, check_in_window
from sim_backend.generators import generator_array, generator_state
from sim_backend.memristors.interface import Window
from sim_backend.memristors.memristors import Memristors
from sim_backend.memristors.model import DeviceModel, DrawnDevices
from sim_backend.memristors.response import pulse_spread
from sim_backend.memristors.rosenbrock import StepsError

__all__ = ["ChipSubstrate"]

_PREFIX = "chip/"
_GENERATOR = "chip/generator"


class ChipSubstrate(Wrapper):
    """Simulated chip of programmable devices; there is no ideal programming.

    Conductances that are read and loaded are the devices' own, without read noise and without
    access transistors; the network sees them with both.  Whatever was drawn, they stay in the
    window.

    * Pulses are given to one device at a time; then devices half-selected by all of these are
      disturbed, if ``devices.disturb`` says so.
    * The clock of the chip advances by ``pulse_seconds`` a pulse and, after each phase, by
      ``phase_seconds`` an example.  Drift is worked out once an exchange, where it begins.
    * Read noise is sampled once a phase and shared by its examples, so that phases that are
      compared see noise of their own, as they follow each other in time.  White noise is that of
      a held voltage: what is faster than the hold averages out and is no part of the figure.
    * Every settled example is a reading of all devices: a drop from tail to head disturbs as a
      pulse up does.
    * Access transistors (1T1R) are on while the network settles and while a device is programmed.
      With y their conductance, the gradient by squared drops is too large by
      ``((g + y) / y)**2``: rules that look at signs do not notice.
    * A write is counted where a call of ``pulse`` changed the conductance of a device it pulsed;
      several pulses in one call are one write, disturbances, drift and loads are none.

    Its class is made by :func:`sim_backend.chip.making.chip_around`.

    Args:
        inner: owned; its start conductances are brought into the window and then into the limits
            of their devices.
        devices: the technology.
        drawn: parameters of the devices.
        rng: noise; owned, and kept with the state.
        window_siemens: (g_min, g_max) of the devices.

    Raises:
        ConfigurationError: the inner substrate's window is too narrow for what devices are seen
            as, or one pulse changes nothing.
    """

    def __init__(
        self,
        inner: Inner,
        devices: DevicesConfig,
        drawn: DrawnDevices,
        rng: np.random.Generator,
        window_siemens: Window,
    ) -> None:
        model = devices.build()
        noise = model.read_noise
        nominal, spread = _one_pulse(model, window_siemens)
        volts = noise.relative_rms * inner.spec.max_input_volts
        super().__init__(
            inner,
            dataclasses.replace(
                inner.spec,
                kind=f"{inner.spec.kind} chip",
                window_siemens=window_siemens,
                pulse_siemens=nominal,
                pulse_spread=spread,
                noise_volts=float(np.hypot(inner.spec.noise_volts, volts)),
            ),
        )
        start = inner.read_conductance()
        self._config = devices
        self._rng = rng
        self._memristors = Memristors(
            model, window_siemens, start.clip(*window_siemens), rng, drawn
        )
        self._access = None if model.access is None else 1.0 / model.access.on_ohms
        self._check_seen(*(float(self._behind_access(g)) for g in window_siemens))
        self._writes = WriteCounts(start.size)
        self._loaded_at_seconds: float | None = None
        """When the inner substrate last got its conductances; None if they have changed since."""
        self._seen: Floats | None = None
        """(n_devices,) what the network sees, if neither time nor noise changes it."""

    @property
    def now_seconds(self) -> float:
        """The clock of the chip."""
        return self._memristors.now_seconds

    @property
    def fluctuates(self) -> bool:
        """See :class:`Wrapper`: with read noise or read disturb, no phase is as the one before."""
        model = self._memristors.model
        return not model.read_noise.silent or model.disturb.read_share > 0.0

    # --- programming ----------------------------------------------------------------------

    def _pulse(self, counts: IntArray) -> None:
        pulsed = np.flatnonzero(counts != 0)
        if pulsed.size == 0:
            return
        given = counts[pulsed].astype(np.int64)
        pulses = int(np.abs(given).sum())
        devices = self._memristors
        devices.wait_until(devices.now_seconds + pulses * self._config.pulse_seconds)
        before = devices.siemens(pulsed)
        try:
            devices.pulse_at(pulsed, given, self._rng)
            self._writes.add_at(self._moved(pulsed, before))
            self._disturb_others(counts)
        except StepsError as error:
            self._forget()
            raise ProgramError(
                f"the answer to {pulses} pulses could not be worked out: {error}"
            ) from error

    def _moved(self, at: NDArray[np.intp], before: Floats) -> NDArray[np.intp]:
        """Which of the devices ``at`` differ from ``before``; the network will see them anew."""
        after = self._memristors.siemens(at)
        differs = after != before
        moved: NDArray[np.intp] = at[differs]
        if moved.size:
            self._loaded_at_seconds = None
            if self._seen is not None:
                self._seen[moved] = self._as_seen(after[differs])
        return moved

    def _forget(self) -> None:
        """Any device may have changed."""
        self._loaded_at_seconds = None
        self._seen = None

    def _disturb_others(self, counts: IntArray) -> None:
        disturb = self._memristors.model.disturb
        if disturb.select_share > 0.0:
            up, down = selected_with(self.spec.topology, counts, disturb)
            self._memristors.disturb(up, down, disturb.select_share, self._rng)
            self._forget()

    def read_conductance(self) -> Floats:
        """(n_devices,) siemens now, with write noise and drift, without read noise; a copy."""
        self._check_open()
        return self._memristors.siemens()

    def load_conductance(self, conductance_siemens: Floats) -> None:
        """Write (n_devices,) siemens ideally, just now; not counted as writes.

        Stuck devices stay where they are, and others stop at their own limits.

        Raises:
            UsageError: wrong shape, or a value outside the window or not finite.
        """
        self._check_open()
        window = self.spec.window_siemens
        given = check_in_window(conductance_siemens, self.spec.topology.n_devices, window)
        self._memristors.load(given)
        self._forget()

    def write_counts(self) -> IntArray:
        """(n_devices,) calls of ``pulse`` that changed a conductance."""
        self._check_open()
        return self._writes.read()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,).

        Raises:
            UsageError: wrong shape, not integers, or a negative count.
        """
        self._check_open()
        self._writes.load(counts)

    # --- state ----------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, AnyArray]:
        """Conductances, clock and noise of the devices, and the inner substrate's state."""
        self._check_open()
        own = {_PREFIX + name: values for name, values in self._memristors.state_arrays().items()}
        return kept_inside(self._inner) | own | {_GENERATOR: generator_array(self._rng)}

    def load_state(self, arrays: Mapping[str, AnyArray]) -> None:
        """Go on from what :meth:`state_arrays` gave.

        Raises:
            UsageError: an array is missing or does not fit; nothing was loaded.
        """
        self._check_open()
        if _GENERATOR not in arrays:
            raise UsageError(
                "the kept state is not one of programmable devices; nothing was loaded"
            )
        generator = generator_state(arrays[_GENERATOR], self._rng)
        own = {n.removeprefix(_PREFIX): v for n, v in arrays.items() if n.startswith(_PREFIX)}
        try:
            commit = self._memristors.prepare_state(own)
        except ValueError as error:
            raise UsageError(
                f"the kept state does not fit these devices: {error}; nothing was loaded"
            ) from error
        if isinstance(self._inner, KeepsState):
            self._inner.load_state(arrays)
        commit()
        self._rng.bit_generator.state = generator
        self._forget()

    # --- inside ---------------------------------------------------------------------------

    def _refresh(self, fluctuating: bool = True) -> None:
        devices = self._memristors
        drifts = not devices.model.drift.none
        noisy = fluctuating and not devices.model.read_noise.silent
        loaded, now = self._loaded_at_seconds, devices.now_seconds
        if loaded is not None and not noisy and (loaded == now or not drifts):
            return
        if noisy or drifts:
            seen = devices.fluctuating(self._rng) if noisy else devices.siemens()
            self._inner.load_conductance(self._as_seen(seen))
        else:
            if self._seen is None:
                self._seen = self._as_seen(devices.siemens())
            self._inner.load_conductance(self._seen)
        self._loaded_at_seconds = None if noisy else now

    def _behind_access(self, siemens: Any) -> Any:
        """What the network sees of a device, a number or an array."""
        if self._access is None:
            return siemens
        return siemens * (self._access / (siemens + self._access))

    def _as_seen(self, siemens: Floats) -> Floats:
        """What the network is loaded with for devices of these conductances."""
        return self._clipped(self._behind_access(siemens))

    def _note(self, drive: Drive, node_volts: Floats | None, ok: BoolArray) -> None:
        devices = self._memristors
        seconds = len(drive.input_volts) * self._config.phase_seconds
        devices.wait_until(devices.now_seconds + seconds)
        share = devices.model.disturb.read_share
        if share > 0.0 and node_volts is not None:
            up, down = read_directions(self.spec.topology, node_volts[ok])
            devices.disturb(up, down, share, self._rng)
            self._forget()


def _one_pulse(model: DeviceModel, window_siemens: Window) -> tuple[float, float]:
    """Nominal change by one pulse, siemens, and its relative spread.

    Raises:
        ConfigurationError: there is no change, or it cannot be worked out.
    """
    try:
        nominal = model.pulses.nominal_siemens(window_siemens)
        if nominal > 0.0:
            return nominal, pulse_spread(model, window_siemens)
    except StepsError as error:
        raise ConfigurationError(
            f"the answer of these devices to one pulse cannot be worked out: {error}"
        ) from error
    raise ConfigurationError(
        "one pulse changes the conductance of these devices by nothing: raise the step, the "
        "amplitude or the width in devices.pulses"
    )
