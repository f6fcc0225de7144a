"""A whole bench in this process: a chip, and emulated instruments wired as a bench file says."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from drivers.bench.config import BUSES, BenchConfig, InstrumentConfig
from drivers.emulated.bench.board import BoardSockets, board_sockets
from drivers.emulated.bench.instruments import Placed, place
from drivers.emulated.bench.report import BenchReport, Events
from drivers.emulated.bench.settings import EmulationConfig, emulation_of
from drivers.emulated.bench.sockets import smu_sockets, switches_of
from drivers.emulated.bench.warming import use_once
from drivers.emulated.bench.watching import Heard, RelayWatch, SourceWatch
from drivers.emulated.serving.interface import Server
from drivers.emulated.serving.pty import PtyServer
from drivers.emulated.serving.tcp import TcpServer
from drivers.emulated.world import Channel
from drivers.transport.memory import MemoryTransport
from hil.errors import ConfigurationError
from sim_backend.memristors.interface import Floats
from sim_backend.nodal.elements import GROUND

__all__ = ["EmulatedBench"]

_BOARD = "shboard"


class EmulatedBench:
    """A bench on which everything is emulated; instruments answer bytes, devices answer volts.

    The chip is the one that ``hil train`` would simulate with the same seed and the substrate of
    ``emulation.substrate``, in double precision. Time is the emulated world's; it passes while
    instruments measure, dwell and switch, and by :meth:`sleep`.

    On a bench with a board, the world of the SMU contains the arrays alone: what the board joins
    to them is not seen there. Instruments that reach lines meanwhile are reported as violations.
    Its devices age by the clock of the simulated chip (``devices.phase_seconds``), not the world's.

    Args:
        config: the bench file.
        seed: of the chip, of noise and of the instruments' errors; 0 if None.

    Raises:
        ConfigurationError: the table ``emulation`` cannot be used, or contradicts the bench file.
    """

    def __init__(self, config: BenchConfig, seed: int | None = None) -> None:
        seed = seed or 0
        self.config, self._seed = config, seed
        emulation = emulation_of(config)
        self._board: BoardSockets | None = None
        if config.phases.kind == "board":
            self._board = board_sockets(config, emulation, seed)
            self._sockets = self._board.sockets
        else:
            self._sockets = smu_sockets(config, emulation, seed)
        self._world = self._sockets.world
        self._events = Events(lambda: self._world.now_seconds)
        self._switches: dict[str, RelayWatch] = {}
        for switches in switches_of(config, emulation, self._sockets):
            self._world.attach_switches(switches)
            self._switches[switches.name] = RelayWatch(
                switches.name, self._world, self._events, self._look_at_lines
            )
        self._sources: dict[str, SourceWatch] = {}
        self._instruments: dict[str, Heard] = {}
        for name in config.instruments:
            self._place(name, emulation, seed)
        self._lock = threading.Lock()
        self._real_seconds: float | None = None

    # -- reaching instruments

    @property
    def models(self) -> dict[str, str]:
        """Model of each instrument."""
        return {name: item.model for name, item in self.config.instruments.items()}

    def transport(self, name: str, instrument: InstrumentConfig) -> MemoryTransport:
        """An open session with an instrument, in this process.

        Args:
            name: in the bench file.
            instrument: its section, which has the address that messages name.

        Raises:
            ConfigurationError: the bench has no such instrument.
        """
        self._check_name(name)
        return MemoryTransport(self._instruments[name], instrument.address)

    def sleep(self, seconds: float) -> None:
        """Let time pass in the emulated world."""
        with self._lock:
            self._pass(seconds)

    def servers(self, addresses: Mapping[str, str | None]) -> dict[str, Server]:
        """Servers of instruments, for clients in other processes; time passes as it does there.

        Args:
            addresses: for each instrument that is served ``HOST:PORT``, ``pty`` for a serial
                port (POSIX), or None: a port of this machine that is free, a serial port for a
                board.

        Raises:
            ConfigurationError: no such instrument, or an address that cannot be had.
        """
        spare = EmulatedBench(self.config, self._seed)
        use_once(self.config, spare.transport, spare.sleep)
        found: dict[str, Server] = {}
        try:
            for name, address in addresses.items():
                self._check_name(name)
                found[name] = self._server(name, address)
        except BaseException:
            for server in found.values():
                server.stop()
                server.serve()  # releases the address
            raise
        self._real_seconds = time.monotonic()
        return found

    # -- what an observer knows

    def report(self) -> BenchReport:
        """States of all instruments, and what happened."""
        with self._lock:
            self._after()
            seen = self._sockets.seen
            return BenchReport(
                seen.now_seconds,
                {where: watch.state(seen) for where, watch in self._sources.items()},
                {where: watch.state() for where, watch in self._switches.items()},
                None if self._board is None else self._board.state(),
                self._events.all,
                self._events.n_violations,
            )

    def take_drops(self) -> Floats:
        """(n_devices,) volts of largest magnitude that each device has seen since the last call.

        Of phases run by a board, the most that any device of an array can have seen: the largest
        row against the smallest column, or the other way round.
        """
        with self._lock:
            return self._sockets.take_drops()

    def device_siemens(self) -> Floats:
        """(n_devices,) true conductances now, a copy."""
        with self._lock:
            return self._sockets.device_siemens()

    # -- inside

    def _check_name(self, name: str) -> None:
        if name not in self._instruments:
            known = ", ".join(self._instruments)
            raise ConfigurationError(
                f"the emulated bench has no instrument {name!r}; it has: {known}"
            )

    def _place(self, name: str, emulation: EmulationConfig, seed: int) -> None:
        model = self.config.instruments[name].model
        if model == _BOARD:
            assert self._board is not None
            self._instruments[name] = Heard(self._board.board, self._before, self._after)
            return
        switch = self._switches.get(name)
        placed = place(
            name,
            self.config,
            emulation,
            self._sockets.seen,
            seed,
            None if switch is None else switch.moved,
            lambda contact: self._world.is_live(name, contact),
        )
        if switch is not None:
            switch.relays = placed.relays
            self._check_points(name, placed)
        self._wire(name, placed)
        watches = [watch for where, watch in self._sources.items() if where.split(".")[0] == name]

        def after() -> None:
            for watch in watches:
                watch.look()

        self._instruments[name] = Heard(placed.instrument, self._before, after)

    def _check_points(self, name: str, placed: Placed) -> None:
        """Refuse crosspoints that the mainframe's cards do not have."""
        if placed.relays is None:
            return
        blocks = [block for block in self.config.matrix if block.instrument == name]
        used = {point for block in blocks for bus in BUSES for point in getattr(block, bus)}
        missing = sorted(used - set(placed.relays.names))
        if missing:
            raise ConfigurationError(
                f"{name} has no crosspoint {missing[0]} with the cards it has (and "
                f"{len(missing) - 1} more are missing); correct matrix, or state its cards in "
                f"emulation.cards.{name}"
            )

    def _wire(self, name: str, placed: Placed) -> None:
        for letter, (channel, output_on) in placed.sources.items():
            where = f"{name}.{letter}" if letter else name
            net = self._sockets.source_nets.get(where)
            self._attach(channel, net)
            self._sources[where] = SourceWatch(
                where, channel, output_on, self._events, self._look_at_lines
            )
        phases = self.config.phases
        if phases.kind == "smu" and phases.voltmeter == name:
            for number, net in self._sockets.meter_nets.items():
                if number not in placed.meters:
                    raise ConfigurationError(
                        f"phases.voltmeter_channels: {name} has no channel {number} for voltages"
                    )
                self._attach(placed.meters[number], net)

    def _attach(self, channel: Channel, net: str | None) -> None:
        """Wire a channel against ground; one that is for nothing to a net of its own."""
        channel.hi = net if net is not None else f"{channel.name}.hi"
        channel.lo = GROUND
        self._world.attach(channel)

    def _server(self, name: str, address: str | None) -> Server:
        instrument = self._instruments[name]
        if address is None:
            address = "pty" if self.models[name] == _BOARD else "127.0.0.1:0"
        if address == "pty":
            return PtyServer(instrument, self._lock)
        host, colon, port = address.rpartition(":")
        if not colon or not port.isdecimal():
            raise ConfigurationError(
                f"{address!r} is no address to serve {name} at; give HOST:PORT, or pty"
            )
        return TcpServer(instrument, host, int(port), self._lock)

    def _before(self) -> None:
        """Where instruments are served, the time that has passed outside passes here."""
        if self._real_seconds is not None:
            now = time.monotonic()
            self._pass(now - self._real_seconds)
            self._real_seconds = now

    def _pass(self, seconds: float) -> None:
        self._sockets.seen.elapse(seconds)
        if self._board is not None:
            self._board.board.poll()
            self._after()

    def _after(self) -> None:
        """Look at the board, which may have changed without a word."""
        if self._board is not None and self._board.look(self._events):
            self._look_at_lines()

    def _look_at_lines(self) -> None:
        """Whether sources reach lines that a board has joined to something."""
        if self._board is not None:
            self._board.check(self._events, self._switches, self._sources)
