"""Compiling what an emulated bench needs before anybody waits for its replies."""

from __future__ import annotations

import contextlib

import numpy as np

from drivers.bench.config import BenchConfig
from drivers.bench.equipment import TransportFactory
from drivers.bench.roles import Sleep
from drivers.bench.substrate import open_bench
from hil.errors import HilError
from hil.substrate import Drive

__all__ = ["use_once"]


def use_once(config: BenchConfig, open_transport: TransportFactory, sleep: Sleep) -> None:
    """Open a bench that nobody uses, settle one example of each phase, pulse one device, close.

    Where nothing has been compiled yet, the first reply would otherwise come half a minute late,
    and time out.

    Args:
        config: the bench file.
        open_transport: sessions with a bench that is thrown away afterwards.
        sleep: lets its time pass.
    """
    topology = config.network.topology
    free = Drive(np.zeros((1, topology.inputs.size)))
    nudged = Drive(free.input_volts, np.zeros((1, topology.outputs.size)))
    counts = np.zeros(topology.n_devices, np.int32)
    counts[0] = 1
    # What a client would be refused it may also be refused here.
    with contextlib.suppress(HilError), open_bench(config, open_transport, sleep) as substrate:
        settled = substrate.settle(free)
        substrate.settle(nudged, settled)
        substrate.pulse(counts)
