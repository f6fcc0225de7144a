"""Scans, the monitor and the relays of an emulated Agilent 34970A.

A scan is complete when its ``INITiate`` is, the world's time included. One that is endless, or
too long for that, goes on by one sweep whenever its readings are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

from drivers.emulated.agilent34970a_channels import (
    FUNCTIONS,
    ChannelTable,
    signed,
    with_signs,
)
from drivers.emulated.agilent34970a_memory import Memory, Reading
from drivers.emulated.scanner_cards import Multiplexer
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Setting, Settings
from drivers.emulated.scpi.status import Register
from drivers.emulated.scpi.values import channel_list, definite_block
from drivers.emulated.world import World

__all__ = ["EMPTY_SCAN_LIST", "Scanner"]

SCANNING_BIT = 4
MOST_READINGS = 50_000
NOT_A_NUMBER = 9.91e37
EMPTY_SCAN_LIST = (113, "Channel list: empty scan list")
_COMMITTED = (301, "Module currently committed to scan")


class Scanner:
    """Everything that closes a channel.

    Args:
        mux: the relays.
        world: whose time passes.
        table: what each channel measures.
        memory: where scans leave their readings.
        operation: the register that tells of a scan under way.
        channels: turns the text of a channel list into numbers.
    """

    def __init__(
        self,
        mux: Multiplexer,
        world: World,
        table: ChannelTable,
        memory: Memory,
        operation: Register,
        channels: Callable[[str], list[int]],
    ) -> None:
        self._mux = mux
        self._world = world
        self._table = table
        self._memory = memory
        self._operation = operation
        self._channels = channels
        self._declared = tuple(_declared())
        self._settings = Settings(self._declared, self._changed)
        self.scan_list: list[int] = []
        self._left: int | None = 0  # sweeps still to be made; None: endless
        self._armed = False
        self._monitored: int | None = None

    def reset(self) -> None:
        """``*RST``: an empty scan list, all channels open."""
        self._settings.reset()
        self.abort()
        self.scan_list = []
        self._monitored = None
        self._mux.open_all()

    def look(self) -> None:
        """Go on with a scan that has not ended."""
        if self._left != 0 and not self._armed:
            self._sweep(self._memory.store)
            self._end_if_done()

    def abort(self) -> None:
        """``ABORt``."""
        self._left = 0
        self._armed = False
        self._operation.set_condition(SCANNING_BIT, False)

    def trigger(self) -> None:
        """``*TRG``: one sweep of a scan that waits for the bus."""
        if not self._armed or self._settings.word("SOUR") != "BUS":
            raise ScpiError(-211)
        self._sweep(self._memory.store)
        self._end_if_done()

    def commands(self) -> Iterator[Command]:
        """Scanning, measuring, monitoring and switching."""
        yield from with_signs(self._settings.commands(), self._declared)
        yield Command(":INITiate", lambda _: self._initiate(), takes=(0, 0))
        yield Command(":ABORt", lambda _: self.abort(), takes=(0, 0))
        yield Command(":READ", query=lambda _: self._read())
        for function, header in FUNCTIONS.items():
            yield Command(
                f":CONFigure:{header}",
                partial(self._configure, function),
                takes=(1, 3),
            )
            yield Command(
                f":MEASure:{header}",
                query=partial(self._measure, function),
                asks=(1, 3),
            )
        yield Command(":ROUTe:SCAN", self._write_list, lambda _: _block(self.scan_list))
        yield Command(":ROUTe:SCAN:SIZE", query=lambda _: f"{len(self.scan_list):+d}")
        yield from self._monitor_commands()
        yield from self._relay_commands()

    def _monitor_commands(self) -> Iterator[Command]:
        yield Command(":ROUTe:MONitor", self._monitor, lambda _: self._monitored_block())
        yield Command(":ROUTe:MONitor:DATA", query=lambda _: signed(self._monitor_reading()))

    def _relay_commands(self) -> Iterator[Command]:
        yield Command(":ROUTe:CLOSe", self._close, self._closed, asks=(1, 1))
        yield Command(":ROUTe:CLOSe:EXCLusive", self._close_exclusively)
        yield Command(":ROUTe:OPEN", self._open, self._opened, asks=(1, 1))
        yield Command(":ROUTe:DONE", query=lambda _: "1")
        yield Command(":SYSTem:CPON", self._reset_card)
        yield Command(":DIAGnostic:RELay:CYCLes", query=self._cycles, asks=(1, 1))
        yield Command(":DIAGnostic:DMM:CYCLes", query=lambda _: self._meter_cycles())

    def _configure(self, function: str, parameters: Parameters) -> None:
        """A new scan list, and everything that is not named back to its default."""
        numbers = self._table.configure(function, parameters)
        for name, value in (("SOUR", "IMM"), ("COUN", 1.0)):
            self._settings.put(name, value)
        self._memory.reset()
        self._commit(numbers)

    def _measure(self, function: str, parameters: Parameters) -> str:
        self._configure(function, parameters)
        return self._read()

    def _write_list(self, parameters: Parameters) -> None:
        self._memory.clear()
        self._commit(self._channels(parameters.text()))

    def _commit(self, numbers: list[int]) -> None:
        """Scan these channels from now on, in ascending order; their modules open."""
        self.abort()
        self.scan_list = sorted(set(numbers))
        slots = {number // 100 for number in numbers}
        self._mux.move([n for n in self._mux.closed if n // 100 in slots], ())

    def _changed(self, name: str) -> None:
        """A new trigger clears the memory; a monitor that is switched off opens its channel."""
        if name != "MON":
            self._memory.clear()
        elif self._monitored is not None and not self._settings.flag("MON"):
            self._mux.move([self._monitored], ())

    def _initiate(self) -> None:
        if self._left != 0 or self._armed:
            raise ScpiError(-213)
        if not self.scan_list:
            raise ScpiError(*EMPTY_SCAN_LIST)
        self._memory.clear()
        self._memory.begin()
        count = self._settings.number("COUN")
        self._left = None if math.isinf(count) else int(count)
        self._operation.set_condition(SCANNING_BIT, True)
        self._armed = self._settings.word("SOUR") not in ("IMM", "TIM")
        if self._armed:
            return
        at_once = max(1, MOST_READINGS // len(self.scan_list))
        for _ in range(min(self._left or 1, at_once)):
            self._sweep(self._memory.store)
        self._end_if_done()

    def _read(self) -> str:
        """Scan and send the readings; they are not kept."""
        if not self.scan_list:
            raise ScpiError(*EMPTY_SCAN_LIST)
        if self._left != 0 or self._armed:
            raise ScpiError(-213)
        count = self._settings.number("COUN")
        if self._settings.word("SOUR") not in ("IMM", "TIM") or math.isinf(count):
            raise ScpiError(-214)
        if count * len(self.scan_list) > MOST_READINGS:
            raise ScpiError(-225)  # a real one would go on sending for hours
        readings: list[Reading] = []
        self._memory.begin()
        self._left = int(count)
        for _ in range(int(count)):
            self._sweep(readings.append)
        self._end_if_done()
        return self._memory.spelled(readings)

    def _sweep(self, store: Callable[[Reading], None]) -> None:
        """One pass through the list; every channel is open afterwards."""
        started_seconds = self._world.now_seconds
        for number in self.scan_list:
            slots = {n // 100 for n in self.scan_list}
            self._mux.move([n for n in self._mux.closed if n // 100 in slots], [number])
            value = self._table.measure(number)
            unit = self._table.unit(number)
            alarm = self._table.alarm(number, value)
            store(Reading(value, unit, number, self._world.now_seconds, alarm))
        self._mux.move(self.scan_list, ())
        if self._left is not None:
            self._left -= 1
        if self._settings.word("SOUR") == "TIM" and self._left != 0:
            wait = started_seconds + self._settings.number("TIM") - self._world.now_seconds
            self._world.elapse(max(0.0, wait))

    def _end_if_done(self) -> None:
        if self._left == 0:
            self.abort()

    def _monitor(self, parameters: Parameters) -> None:
        numbers = self._channels(parameters.text())
        if len(numbers) != 1:
            raise ScpiError(281, "Not able to perform on more than one channel")
        self._monitored = numbers[0]

    def _monitored_block(self) -> bytes:
        return _block([] if self._monitored is None else [self._monitored])

    def _monitor_reading(self) -> float:
        if self._monitored is None or not self._settings.flag("MON"):
            return NOT_A_NUMBER
        slot = self._monitored // 100
        self._mux.move([n for n in self._mux.closed if n // 100 == slot], [self._monitored])
        return self._table.measure(self._monitored)

    def _committed(self) -> set[int]:
        return {number // 100 for number in self.scan_list}

    def _free(self, text: str) -> list[int]:
        """Channels that commands may move.

        Raises:
            ScpiError: 301, a module of theirs belongs to the scan.
        """
        numbers = self._channels(text)
        if self._committed() & {number // 100 for number in numbers}:
            raise ScpiError(*_COMMITTED)
        return numbers

    def _close(self, parameters: Parameters) -> None:
        self._mux.move((), self._free(parameters.text()))

    def _close_exclusively(self, parameters: Parameters) -> None:
        numbers = self._free(parameters.text())
        slots = {number // 100 for number in numbers}
        self._mux.move([n for n in self._mux.closed if n // 100 in slots], numbers)

    def _open(self, parameters: Parameters) -> None:
        self._mux.move(self._free(parameters.text()), ())

    def _closed(self, parameters: Parameters) -> str:
        numbers = self._channels(parameters.text())
        return ",".join(str(int(self._mux.is_closed(number))) for number in numbers)

    def _opened(self, parameters: Parameters) -> str:
        numbers = self._channels(parameters.text())
        return ",".join(str(int(not self._mux.is_closed(number))) for number in numbers)

    def _cycles(self, parameters: Parameters) -> str:
        numbers = self._channels(parameters.text())
        return ",".join(f"{self._mux.counts[number]:+d}" for number in numbers)

    def _meter_cycles(self) -> str:
        """Closures of the relays that connect each slot to the meter."""
        counts = self._mux.counts.items()
        slots = (1, 2, 3)
        return ",".join(f"{sum(n for k, n in counts if k // 100 == slot):+d}" for slot in slots)

    def _reset_card(self, parameters: Parameters) -> None:
        """``SYSTem:CPON``: a module as at power-on, out of the scan."""
        text = parameters.text()
        slots = set(self._mux.cards)
        if text.upper() != "ALL":
            slots = {Parameters((text,)).whole(100, 100 * max(slots)) // 100}
        self.scan_list = [number for number in self.scan_list if number // 100 not in slots]
        self._mux.move([n for n in self._mux.closed if n // 100 in slots], ())


def _block(numbers: list[int]) -> bytes:
    return definite_block(channel_list(numbers).encode("ascii"))


def _declared() -> Iterator[Setting]:
    alarms = tuple(f"ALARm{n}" for n in range(1, 5))
    sources = ("BUS", "IMMediate", "EXTernal", *alarms, "TIMer")
    yield Choice(":TRIGger:SOURce", "SOUR", "IMM", sources)
    yield Number(":TRIGger:TIMer", "TIM", 10.0, 0.0, 359_999.0, "S")
    yield Number(":TRIGger:COUNt", "COUN", 1.0, 1.0, math.inf)
    yield Flag(":ROUTe:MONitor:STATe", "MON", False)
