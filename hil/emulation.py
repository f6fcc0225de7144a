"""Emulated instruments for clients of any kind, one a process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from drivers.emulated.catalogue import MODELS, emulate
from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.serving.interface import Server
from drivers.emulated.serving.pty import PtyServer
from drivers.emulated.serving.running import serve_until_signal
from drivers.emulated.serving.tcp import TcpServer
from drivers.emulated.world import ResistorWorld, ScannerWorld, World
from hil.errors import ConfigurationError

__all__ = ["MODELS", "channel_voltages", "serve_instrument"]


def serve_instrument(
    model: str,
    listen: str,
    ready: Callable[[str], None],
    *,
    load_ohms: float | None = None,
    channel_volts: Mapping[str, float] | None = None,
    seed: int | None = None,
) -> None:
    """Serve one emulated instrument until SIGTERM or SIGINT.

    Args:
        model: one of :data:`MODELS`.
        listen: ``HOST:PORT``, port 0 for a free one, or ``pty``.
        ready: called with the address once clients can connect.
        load_ohms: a resistor across HI and LO of every channel; open terminals if None.
        channel_volts: what channels of a scanner see, by number; others 0 V.
        seed: of the errors and the noise of the data sheet; an ideal instrument if None.

    Raises:
        ConfigurationError: there is no such model, the port cannot be had, or the world is
            described twice or by a resistance that is none.
    """
    random = None if seed is None else np.random.default_rng(seed)
    server = _server(emulate(model, _world(load_ohms, channel_volts), random), listen)
    serve_until_signal([server], lambda: ready(server.address))


def channel_voltages(items: Sequence[str]) -> dict[str, float]:
    """``101=0.01,102=-0.5``, once or several times, as voltages by channel.

    Raises:
        ConfigurationError: an item is no ``CHANNEL=VOLTS``.
    """
    found = {}
    for item in ",".join(items).split(","):
        channel, _, text = item.partition("=")
        try:
            volts = float(text)
        except ValueError:
            volts = math.nan
        if not channel.strip().isdecimal() or not math.isfinite(volts):
            raise ConfigurationError(
                f"--channel-volts takes CHANNEL=VOLTS,..., such as 101=0.01,102=-0.5; got {item!r}"
            )
        found[channel.strip()] = volts
    return found


def _world(load_ohms: float | None, channel_volts: Mapping[str, float] | None) -> World:
    if channel_volts is not None:
        if load_ohms is not None:
            raise ConfigurationError(
                "give either --load-ohms (what a source drives) or --channel-volts (what a "
                "scanner sees), not both"
            )
        return ScannerWorld(channel_volts)
    ohms = math.inf if load_ohms is None else load_ohms
    if not ohms > 0.0:
        raise ConfigurationError(f"--load-ohms must be above 0; got {ohms:g}")
    return ResistorWorld(ohms)


def _server(instrument: EmulatedInstrument, listen: str) -> Server:
    if listen == "pty":
        return PtyServer(instrument)
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError(
            f"--listen takes HOST:PORT, such as 127.0.0.1:5025 (port 0 for a free one), or pty; "
            f"got {listen!r}"
        )
    return TcpServer(instrument, host, int(port))
