"""The chip in the sockets: the one that a simulation with the same seed would train."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.bench.config import BenchConfig
from drivers.emulated.circuit_world_devices import Dwell
from hil.substrate import ReadsConductance, Substrate
from sim_backend.chip.adjustable import AdjustableChip, Pattern
from sim_backend.layered.config import LayeredConfig
from sim_backend.lot import Lot
from sim_backend.memristors.config import DeviceConfig
from sim_backend.memristors.interface import Floats, Window
from sim_backend.memristors.memristors import Memristors
from sim_backend.memristors.model import DeviceModel
from sim_backend.memristors.pulse_config import IdealStepConfig
from sim_backend.order import Order

__all__ = ["SubstratePhysics", "conductances_of", "memristors_of", "order_of"]

_CHIP = 100
"""Purpose of the generators of what differs from chip to chip, as when a chip is simulated."""

_START = 0
"""Likewise of start conductances."""

Places = NDArray[np.intp] | slice
_ALL = slice(None)


def order_of(config: BenchConfig, substrate: LayeredConfig, seed: int) -> Order:
    """The order that an experiment with this seed places, in double precision."""
    network = config.network
    chip_seed = seed if substrate.chip_seed is None else substrate.chip_seed
    return Order(
        network.n_signals,
        network.n_outputs,
        network.biased or (False,) * config.n_crossbars,
        max_input_volts=config.phases.max_input_volts,
        precision="float64",
        threads=1,
        rng=np.random.default_rng([seed, _START]),
        lot=Lot((chip_seed, _CHIP)),
        seed=seed,
    )


def memristors_of(substrate: LayeredConfig, start_siemens: Floats, order: Order) -> Memristors:
    """Devices of a chip on their own, as a simulated chip has them.

    Args:
        substrate: whose devices; ideal steps of ``pulse_siemens`` if it has none.
        start_siemens: (n_devices,) conductances to begin with.
        order: draws what differs from device to device.
    """
    window = substrate.devices_window_siemens
    rng, start = order.noise("devices"), start_siemens.clip(*window)
    devices, spread = substrate.devices, substrate.mismatch.conductance_spread
    if devices is not None:
        return _drawn(devices, window, start, order, rng)
    pulse = substrate.pulse_siemens or 1e-3 * (window[1] - window[0])
    steps = IdealStepConfig(step_weight=2.0 * pulse / (window[1] - window[0]))
    model, n = DeviceModel(steps.build()), start.size
    factor = np.ones(n)
    if spread > 0.0:
        pattern = order.lot.draw("conductance", lambda rng: Pattern.draw(spread, n, rng))
        factor = np.asarray(pattern.factor, np.float64)
    return _OffByFactors(model, window, start, rng, factor)


def _drawn(
    devices: DeviceConfig, window: Window, start: Floats, order: Order, rng: np.random.Generator
) -> Memristors:
    model = devices.build()
    drawn = model.draw(
        start.size, window, lambda part, draw: order.lot.draw(f"devices-{part}", draw)
    )
    return Memristors(model, window, start, rng, drawn)


class _OffByFactors(Memristors):
    """Devices whose conductances are the programmed ones times fixed factors."""

    def __init__(
        self,
        model: DeviceModel,
        window: Window,
        start: Floats,
        rng: np.random.Generator,
        factor: Floats,
    ) -> None:
        super().__init__(model, window, start, rng)
        self._factor = factor

    def siemens(self, at: Places = _ALL) -> Any:
        """(n,) conductances as an ohmmeter finds them; a copy."""
        return super().siemens(at) * self._factor[at]


def conductances_of(substrate: Substrate) -> Floats:
    """(n_devices,) siemens that the devices of a simulated substrate have, a copy."""
    if isinstance(substrate, AdjustableChip):
        return np.asarray(substrate.actual_conductance(), np.float64)
    assert isinstance(substrate, ReadsConductance)
    return np.asarray(substrate.read_conductance(), np.float64)


class SubstratePhysics:
    """Devices of a simulated substrate under the voltages of a world.

    A drop as long as a pulse, and of three quarters of the amplitude or more, is a pulse of the
    substrate; what that does to half-selected devices is the substrate's own business.

    Args:
        substrate: reads its conductances.
        devices: as configured; None: ideal ones.
        amplitudes: volts of a pulse up, and magnitude of one down.
        width_seconds: of a pulse.
        full_share: share of the amplitude that makes a pulse.
    """

    def __init__(
        self,
        substrate: Substrate,
        devices: DeviceConfig | None,
        amplitudes: tuple[float, float],
        width_seconds: float,
        full_share: float,
    ) -> None:
        self._substrate = substrate
        access = None if devices is None else devices.access
        self._access_ohms = 0.0 if access is None else access.on_ohms
        n = substrate.spec.topology.n_devices
        self._dwell = Dwell(n, *amplitudes, width_seconds, (full_share,))

    def siemens(self) -> Floats:
        """(n_devices,) conductances between lines now, access transistors on."""
        siemens = conductances_of(self._substrate)
        return np.asarray(siemens / (1.0 + siemens * self._access_ohms))

    def lived(self, drops: Floats, seconds: float, now_seconds: float) -> bool:
        """See :class:`~drivers.emulated.circuit_world_devices.DevicePhysics`."""
        for up, down in self._dwell.pulses(drops, seconds):
            if (up != down).any():
                self._substrate.pulse(up - down)
                return True
        return False
