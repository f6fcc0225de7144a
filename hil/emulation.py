"""Emulated instruments for clients of any kind: one by itself, or those of a bench together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from drivers.emulated.catalogue import MODELS, emulate
from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.serving.interface import Server
from drivers.emulated.serving.pty import PtyServer
from drivers.emulated.serving.running import serve_until_signal
from drivers.emulated.serving.tcp import TcpServer
from drivers.emulated.world import ResistorWorld, ScannerWorld, World
from hil.bench.addresses import loopback, with_addresses
from hil.errors import ConfigurationError
from hil.resolving import read_bench
from hil.tomls import read_text

__all__ = ["MODELS", "channel_voltages", "serve_bench", "serve_instrument"]

_SCANNERS = ("keithley2750", "daq6510", "agilent34970a")
_SWITCHES = ("keithley707b", "keithley3706a")
_BOARD = "shboard"


def serve_instrument(
    model: str,
    listen: str,
    ready: Callable[[str], None],
    *,
    load_ohms: float | None = None,
    channel_volts: Mapping[str, float] | None = None,
    seed: int | None = None,
    serial: str | None = None,
) -> None:
    """Serve one emulated instrument until SIGTERM or SIGINT.

    Args:
        model: one of :data:`MODELS`.
        listen: ``HOST:PORT``, port 0 for a free one, or ``pty``.
        ready: called with the address once clients can connect.
        load_ohms: a resistor across HI and LO of every channel; open terminals if None.
        channel_volts: what channels of a scanner see, by number; others 0 V.
        seed: of the errors and the noise of the data sheet; an ideal instrument if None.
        serial: serial number of anything but a board; None: the usual one of its kind.

    Raises:
        ConfigurationError: there is no such model, the port cannot be had, the world is
            described twice or by a resistance that is none, or by what the model does not see.
    """
    _refuse_idle_options(model, load_ohms, channel_volts, seed)
    _refuse_serial(model, serial)
    random = None if seed is None else np.random.default_rng(seed)
    server = _server(emulate(model, _world(load_ohms, channel_volts), random, serial), listen)
    serve_until_signal([server], lambda: ready(server.address))


def serve_bench(
    path: Path,
    ready: Callable[[Mapping[str, str]], None],
    *,
    write: Path | None = None,
    seed: int = 0,
) -> None:
    """Serve all instruments of a bench until SIGTERM or SIGINT, around one simulated circuit.

    Those with a socket on this machine for their address get exactly that one; the others a free
    port, a board a pseudo-terminal.

    Args:
        path: the bench file.
        ready: called with the addresses by name once clients can connect.
        write: a new bench file with these addresses.
        seed: of the chip, of errors and noise.

    Raises:
        ConfigurationError: the bench file cannot be used, an address cannot be had, or the new
            file cannot be written.
    """
    from drivers.emulated.bench.bench import EmulatedBench

    config = read_bench(path)
    if write is not None and write.exists():
        raise ConfigurationError(f"{write} exists and was not touched; name another file")
    bench = EmulatedBench(config, seed)
    servers = bench.servers({n: loopback(i.address) for n, i in config.instruments.items()})
    addresses = {name: server.address for name, server in servers.items()}
    if write is not None:
        text = with_addresses(read_text(path, "bench file", "hil bench new"), addresses)
        try:
            with write.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write {write}: {error.strerror or error}; check the folder"
            ) from error
    serve_until_signal(list(servers.values()), lambda: ready(addresses))


def _refuse_idle_options(
    model: str,
    load_ohms: float | None,
    channel_volts: Mapping[str, float] | None,
    seed: int | None,
) -> None:
    """Refuse options that would do nothing."""
    if load_ohms is not None and channel_volts is not None:
        raise ConfigurationError(
            "give either --load-ohms (what a source drives) or --channel-volts (what a scanner "
            "sees), not both"
        )
    if model not in MODELS:
        return  # refused with the list of models
    sources = [name for name in MODELS if name not in (*_SCANNERS, *_SWITCHES, _BOARD)]
    for option, given, models in (
        ("--load-ohms", load_ohms, sources),
        ("--channel-volts", channel_volts, _SCANNERS),
        ("--seed", seed, (*sources, *_SCANNERS)),
    ):
        if given is not None and model not in models:
            raise ConfigurationError(
                f"{option} does nothing for a {model}; it is for {', '.join(models)}"
            )


def _refuse_serial(model: str, serial: str | None) -> None:
    """Refuse what would not be one field of a reply to ``*IDN?``."""
    if serial is None:
        return
    if model == _BOARD:
        raise ConfigurationError(f"--serial does nothing for a {model}; it has one of its own")
    if not (serial.isascii() and serial.isalnum()):
        raise ConfigurationError(
            f"--serial {serial!r}: a serial number has letters and digits only, such as 1000002"
        )


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
