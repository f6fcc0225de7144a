"""``ROUTe`` of an emulated Keithley DAQ6510: relays, the scan list, and scans.

A scan is complete when its ``INITiate`` is, the world's time included. One that is endless, or
too long for that, goes on by one sweep whenever its readings are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from drivers.emulated.scanner_cards import Multiplexer, compressed
from drivers.emulated.scanner_settings import ChannelSettings
from drivers.emulated.scanner_switching import Switching
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Number, Settings, Text
from drivers.emulated.scpi.values import channel_list
from drivers.emulated.world import World

__all__ = ["Scanner"]

MOST_READINGS_AT_ONCE = 50_000


class Scanner:
    """Opens, closes and scans.

    Args:
        mux: the relays.
        world: whose time passes.
        channels: turns the text of a channel list into numbers.
        attach: puts the meter on what is connected to it.
        take: takes a reading into the named buffer.
    """

    def __init__(
        self,
        mux: Multiplexer,
        world: World,
        channels: Callable[[str], list[int]],
        attach: Callable[[], None],
        take: Callable[[str], None],
    ) -> None:
        self._mux = mux
        self._world = world
        self._channels = channels
        self._attach = attach
        self._switching = Switching(mux, channels, attach)
        self._take = take
        self._settings = Settings(_declared(), lambda _: None)
        self._each = ChannelSettings(_declared_each(), channels, list)
        self.reset()

    @property
    def scans(self) -> bool:
        """Whether there is a scan list."""
        return bool(self._list)

    def reset(self) -> None:
        """Open all relays and forget the scan."""
        self._settings.reset()
        self._each.reset()
        self._list: list[int] = []
        self._armed = False
        self._left: int | None = 0  # sweeps still to be made; None: endless
        self._n_swept = 0
        self._started_seconds = 0.0
        self._aborted = False
        self._mux.open_all()

    def initiate(self) -> None:
        """``INITiate``: scan, or wait for the event that starts it."""
        self._armed = self._settings.word("STIM") != "NONE"
        if not self._armed:
            self._start()

    def trigger(self) -> None:
        """``*TRG``."""
        if not self._armed or self._settings.word("STIM") != "COMM":
            raise ScpiError(-211)
        self._armed = False
        self._start()

    def abort(self) -> None:
        """``ABORt``."""
        self._aborted = self._left != 0 or self._armed
        self._left = 0
        self._armed = False

    def look(self) -> None:
        """Go on with a scan that has not ended."""
        if self._left != 0:
            self._sweep()

    def commands(self) -> Iterator[Command]:
        """``ROUTe``."""
        yield from self._settings.commands()
        yield from self._each.commands()
        yield from self._relay_commands()
        yield Command(":ROUTe:SCAN[:CREate]", self._create, lambda _: compressed(self._list))
        for header in (":ROUTe:SCAN:ADD", ":ROUTe:SCAN:ADD:SINGle"):
            yield Command(header, self._add)
        yield Command(":ROUTe:SCAN:COUNt:STEP", query=lambda _: str(len(self._list)))
        yield Command(":ROUTe:SCAN:STATe", query=lambda _: self._state())
        yield Command(":ROUTe:TERMinals", query=lambda _: "REAR")

    def _relay_commands(self) -> Iterator[Command]:
        root, switching = ":ROUTe[:CHANnel]", self._switching
        yield Command(f"{root}:CLOSe", self._close, self._closed, asks=(0, 1))
        yield Command(f"{root}:OPEN", self._open)
        yield Command(f"{root}:OPEN:ALL", lambda _: switching.open_all(), takes=(0, 0))
        yield Command(
            f"{root}:MULTiple:CLOSe",
            switching.close_also,
            lambda _: channel_list(self._mux.closed),
        )
        yield Command(f"{root}:MULTiple:OPEN", switching.open_only)
        yield Command(f"{root}:MULTiple:OPEN:ALL", lambda _: switching.open_all(), takes=(0, 0))
        yield Command(f"{root}:STATe", query=switching.states, asks=(1, 1))
        yield Command(f"{root}:CLOSe:COUNt", query=switching.counts, asks=(1, 1))

    def _close(self, parameters: Parameters) -> None:
        """Connect channels to the meter; what would interfere with measuring opens."""
        numbers = self._channels(parameters.text())
        if not numbers:
            raise ScpiError(-109)
        relays = [self._mux.input_relay(number) for number in numbers]
        wanted = [*numbers, *(relay for relay in relays if relay is not None)]
        self._mux.move(self._mux.closed, wanted)
        self._attach()

    def _open(self, parameters: Parameters) -> None:
        """Open channels, and the backplane relay of a card that has no channel closed then."""
        numbers = self._channels(parameters.text())
        self._mux.move(numbers, ())
        slots = {number // 100 for number in self._mux.closed_channels}
        self._mux.move([n for n in self._mux.closed if n // 100 not in slots], ())
        self._attach()

    def _closed(self, parameters: Parameters) -> str:
        if len(parameters):
            return self._switching.states(parameters)
        return channel_list(self._mux.closed_channels)

    def _create(self, parameters: Parameters) -> None:
        self._list = self._switching.measurable(parameters.text())
        self._n_swept = 0

    def _add(self, parameters: Parameters) -> None:
        self._list = self._list + self._switching.measurable(parameters.text())

    def _start(self) -> None:
        if not self._list:
            raise ScpiError(-213)
        self._aborted = False
        self._n_swept = 0
        self._mux.open_all()
        count = self._settings.whole("COUN")
        at_once = max(1, MOST_READINGS_AT_ONCE // len(self._list))
        self._left = count or None
        for _ in range(min(count or 1, at_once)):
            self._sweep()

    def _sweep(self) -> None:
        """One pass through the list; the last channel stays closed."""
        if self._n_swept:
            wait = self._started_seconds + self._settings.number("INT") - self._world.now_seconds
            self._world.elapse(max(0.0, wait))
        self._started_seconds = self._world.now_seconds
        for index, number in enumerate(self._list):
            if index:
                self._world.elapse(self._settings.number("MEAS INT"))
            self._mux.only(number)
            self._attach()
            self._world.elapse(self._each[number].number("DEL"))
            try:
                self._take(self._settings.word("BUFF"))
            except ScpiError:  # the buffer is full, or is no more
                self._left = 0
                raise
        self._n_swept += 1
        if self._left is not None:
            self._left -= 1

    def _state(self) -> str:
        done = bool(self._n_swept) and self._left == 0
        state = "ABORTED" if self._aborted else "SUCCESS" if done else "EMPTY"
        if self._list and not done and not self._aborted:
            state = "RUNNING" if self._left != 0 else "WAITING" if self._armed else "BUILDING"
        return f"{state};{self._n_swept};{len(self._list) if self._n_swept else 0}"


def _declared() -> tuple[Choice | Number | Text, ...]:
    events = ("NONE", "DISPlay", "COMMand", "EXTernal", "TIMer1", "TIMer2", "TIMer3", "TIMer4")
    return (
        Number(":ROUTe:SCAN:COUNt:SCAN", "COUN", 1.0, 0.0, 1e8, whole=True),
        Number(":ROUTe:SCAN:INTerval", "INT", 0.0, 0.0, 1e5, "S"),
        Number(":ROUTe:SCAN:MEASure:INTerval", "MEAS INT", 0.0, 0.0, 1e5, "S"),
        Text(":ROUTe:SCAN:BUFFer", "BUFF", "defbuffer1"),
        Choice(":ROUTe:SCAN:MODE", "MODE", "ALL", ("ALL", "USED", "FABR")),
        Choice(":ROUTe:SCAN:BYPass", "BYP", "OFF", ("OFF", "ON", "0", "1")),
        Choice(":ROUTe:SCAN:RESTart", "REST", "OFF", ("OFF", "ON", "0", "1")),
        Choice(":ROUTe:SCAN:STARt:STIMulus", "STIM", "NONE", events),
        Choice(":ROUTe:SCAN:CHANnel:STIMulus", "CHAN STIM", "NONE", events),
    )


def _declared_each() -> tuple[Number | Text, ...]:
    return (
        Number(":ROUTe[:CHANnel]:DELay", "DEL", 0.0, 0.0, 60.0, "S"),
        Text(":ROUTe[:CHANnel]:LABel", "LAB", ""),
    )
