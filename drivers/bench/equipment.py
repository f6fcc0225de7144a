"""All instruments of a bench: their sessions, who they are, and which role each one plays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.bench.consistency import source_channels, split_channel
from drivers.bench.identities import parsed_identity, pattern_of
from drivers.bench.meters import METERS, make_voltmeter, scan_setup
from drivers.bench.roles import Sleep, Source, Switch, Voltmeter
from drivers.bench.sources import SOURCES, make_source
from drivers.bench.switches import make_switch
from drivers.board.driver import Board
from drivers.instruments.base import Identity, identify
from drivers.instruments.scanner import ScanSetup
from drivers.transport.interface import Transport
from hil.errors import ConfigurationError, HilError, TransportError

__all__ = ["Equipment", "TransportFactory"]

TransportFactory: TypeAlias = Callable[[str, InstrumentConfig], Transport]
"""Opens a session with an instrument, by its name in the bench file and what is said there."""

BITS_OF_A_BYTE = 10  # on a serial line, with start and stop bit


@dataclass
class Equipment:
    """The instruments of a bench by their names in its file.

    Attributes:
        sources, switches, voltmeters: by role.
        board: the sample-and-hold board, if there is one.
        identities: who they are; filled by :meth:`prepare`.
        sessions: of all instruments.
        configs: what the bench file says of each.
        scan: how the voltmeter of the phases is set up, if there is one.
    """

    sources: dict[str, Source]
    switches: dict[str, Switch]
    voltmeters: dict[str, Voltmeter]
    board: Board | None = None
    identities: dict[str, Identity] = field(default_factory=dict)
    sessions: dict[str, Transport] = field(default_factory=dict)
    configs: dict[str, InstrumentConfig] = field(default_factory=dict)
    scan: tuple[str, ScanSetup] | None = None

    @classmethod
    def connect(
        cls, config: BenchConfig, open_transport: TransportFactory, sleep: Sleep
    ) -> Equipment:
        """Open sessions with all instruments; nothing is sent but what a board's needs to begin.

        Args:
            config: the bench.
            open_transport: opens a session.
            sleep: waits so many seconds.

        Raises:
            ConfigurationError: an instrument cannot be what the file says.
            HilError: one cannot be reached; the sessions opened before are closed again.
        """
        _check_uses(config)
        equipment = cls({}, {}, {})
        if config.phases.kind == "smu":
            equipment.scan = config.phases.voltmeter, scan_setup(config)
        try:
            for name, instrument in config.instruments.items():
                with _named(name, instrument):
                    equipment._connect(config, name, open_transport(name, instrument), sleep)
        except BaseException:
            with contextlib.suppress(HilError):
                equipment.close()
            raise
        return equipment

    def prepare(self) -> None:
        """Check who all instruments are, and only then reset each of them.

        Sources are reset before switches move. Nothing is switched on.

        Raises:
            ConfigurationError: another instrument than expected; none was reset.
            HilError: one does not answer, or refuses.
        """
        self.identify()
        self.reset()

    def identify(self) -> None:
        """Check who all instruments are; nothing else is asked or told.

        Raises:
            ConfigurationError: another instrument than expected.
            HilError: one does not answer.
        """
        for name, config in self.configs.items():
            with _named(name, config):
                self.identities[name] = self._identified(name, config)
        self._refuse_twins()

    def say_name(self, error: BaseException) -> None:
        """Let an error that begins with an address say whose it is in the bench file."""
        if not isinstance(error, HilError):
            return
        for name, session in self.sessions.items():
            address = session.address
            rest = error.message.removeprefix(address)
            if rest != error.message and rest[:1] in (":", " "):
                error.say(f"{name} ({self.configs[name].model} at {address}){rest}")

    def reset(self) -> None:
        """Reset each of them, those that drive first; all of it opens, nothing is switched on.

        Raises:
            HilError: one does not answer, or refuses.
        """
        if self.board is not None:
            self.board.make_safe()
        steps: list[tuple[str, Callable[[], object]]] = []
        steps += [(name, source.prepare) for name, source in self.sources.items()]
        steps += [(name, switch.prepare) for name, switch in self.switches.items()]
        steps += [(name, self._voltmeter_step(name)) for name in self.voltmeters]
        for name, step in steps:
            with _named(name, self.configs[name]):
                step()

    def close(self) -> None:
        """End all sessions, each attempted; instruments keep their states, a board makes safe.

        Raises:
            TransportError: some sessions could not be ended properly.
        """
        steps: dict[str, Callable[[], object]] = {
            name: session.close for name, session in self.sessions.items()
        }
        if self.board is not None:
            steps = {"board": self.board.close} | steps
        failures: dict[str, Exception] = {}
        for name, step in steps.items():
            try:
                step()
            except Exception as error:  # every session is to be ended
                failures[name] = error
        if failures:
            raise TransportError(
                f"sessions with {', '.join(failures)} were not ended properly; the instruments "
                "may have to be switched off and on before the next session",
                failures=failures,
            ) from next(iter(failures.values()))

    def _connect(self, config: BenchConfig, name: str, session: Transport, sleep: Sleep) -> None:
        """Give an instrument its role."""
        instrument = config.instruments[name]
        self.sessions[name], self.configs[name] = session, instrument
        if instrument.model == "shboard":
            speed = instrument.baud_rate / BITS_OF_A_BYTE
            self.board = Board(session, sleep, pattern_of(instrument), speed)
        elif instrument.model in SOURCES:
            used = {split_channel(x) for x in source_channels(config)}
            channels = sorted(letter for owner, letter in used if owner == name)
            self.sources[name] = make_source(instrument, session, channels)
        elif instrument.model in METERS and name not in _matrices(config):
            self.voltmeters[name] = make_voltmeter(instrument, session)
        else:
            self.switches[name] = make_switch(instrument, session)

    def _identified(self, name: str, config: InstrumentConfig) -> Identity:
        session = self.sessions[name]
        if self.board is None or config.model != "shboard":
            return identify(session, pattern_of(config), config.serial)
        return parsed_identity(session.address, self.board.identity, config.serial)

    def _refuse_twins(self) -> None:
        """One instrument under two names: what one sets, the other one undoes.

        Raises:
            ConfigurationError: two have one maker, model and serial number.
        """
        names: dict[tuple[str, str, str], str] = {}
        for name, found in self.identities.items():
            if found.serial.strip("0") == "":
                continue  # does not know its serial number
            other = names.setdefault((found.maker, found.model, found.serial), name)
            if other != name:
                raise ConfigurationError(
                    f"{other} and {name} are one instrument, {found.maker} {found.model} with "
                    f"serial number {found.serial}, at {self.configs[other].address} and "
                    f"{self.configs[name].address}; nothing was switched on. Correct one address"
                )

    def _voltmeter_step(self, name: str) -> Callable[[], object]:
        """The scan of the phases is set up; any other voltmeter only opens its channels."""
        voltmeter = self.voltmeters[name]
        if self.scan is not None and self.scan[0] == name:
            setup = self.scan[1]
            return lambda: voltmeter.prepare(setup)
        return voltmeter.make_safe


def _matrices(config: BenchConfig) -> set[str]:
    return {block.instrument for block in config.matrix}


def _check_uses(config: BenchConfig) -> None:
    """One instrument plays one role.

    Raises:
        ConfigurationError: it cannot play the ones the file gives it.
    """
    phases = config.phases
    if phases.kind == "smu" and phases.voltmeter in _matrices(config):
        raise ConfigurationError(
            f"{phases.voltmeter} is phases.voltmeter and in matrix: a scan opens all of its "
            "channels, crosspoints too. Use another instrument for one of them"
        )
    boards = {name for name, x in config.instruments.items() if x.model == "shboard"}
    if spare := boards - ({phases.board} if phases.kind == "board" else set()):
        raise ConfigurationError(
            f"{', '.join(sorted(spare))} is a board that no phases use: name it in phases.board "
            "or take it out of instruments"
        )


@contextlib.contextmanager
def _named(name: str, config: InstrumentConfig) -> Iterator[None]:
    """Say in errors which instrument of the bench file they are about."""
    try:
        yield
    except HilError as error:
        told = f"{name} ({config.model} at {config.address}): {error.message}"
        raise type(error)(told, **error.evidence) from error
