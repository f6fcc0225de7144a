"""Relays, triggers and scans of an emulated Keithley 2750.

Source: Model 2750 User's Manual, 2750-900-01 Rev. F, sections 2, 7, 8 and appendix D.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

from drivers.emulated.keithley2750_buffer import Buffer, Format, Reading
from drivers.emulated.keithley2750_senses import NO_CHANNEL, Senses
from drivers.emulated.scanner_cards import Multiplexer, compressed
from drivers.emulated.scanner_switching import Switching
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings
from drivers.emulated.scpi.values import channel_list
from drivers.emulated.world import World

__all__ = ["Scanner"]

MOST_READINGS = 110_000


class Scanner:
    """Opens, closes, scans and measures.

    Args:
        mux: the relays.
        world: whose time passes.
        senses: measures.
        form: turns readings into replies.
        buffer: keeps readings.
        channels: turns the text of a channel list into numbers.
    """

    def __init__(
        self,
        mux: Multiplexer,
        world: World,
        senses: Senses,
        form: Format,
        buffer: Buffer,
        channels: Callable[[str], list[int]],
    ) -> None:
        self._mux = mux
        self._world = world
        self._senses = senses
        self._form = form
        self._buffer = buffer
        self._channels = channels
        self._switching = Switching(mux, channels, senses.attach)
        self._settings = Settings(_declared(), lambda _: None)
        self._epoch_seconds = 0.0
        self._n_readings = 0
        self._latest: list[Reading] = []
        self.reset()

    def reset(self) -> None:
        """``*RST``: all open, no scan."""
        self._settings.reset()
        self._list: list[int] = []
        self._armed = False
        self._mux.open_all()

    def trigger(self) -> None:
        """``*TRG``."""
        if not self._armed or self._settings.word("SOUR") != "BUS":
            raise ScpiError(-211)
        self._armed = False
        self._run()

    def commands(self) -> Iterator[Command]:
        """``ROUTe``, ``TRIGger``, ``SAMPle``, ``INITiate`` and everything that measures."""
        yield from self._settings.commands()
        yield from self._relay_commands()
        yield from self._scan_commands()
        spelled = self._form.spelled
        yield Command(":INITiate[:IMMediate]", lambda _: self._initiate(), takes=(0, 0))
        yield Command(":ABORt", lambda _: self._abort(), takes=(0, 0))
        yield Command(":READ", query=lambda _: spelled(self._read()))
        yield Command(":FETCh", query=lambda _: spelled(self._fetched()))
        for header in ("[:SENSe[1]]:DATA[:LATest]", "[:SENSe[1]]:DATA:FRESh"):
            yield Command(header, query=lambda _: spelled(self._fetched()[-1:]))
        for function, word in (("VOLT:DC", "VOLTage[:DC]"), ("VOLT:AC", "VOLTage:AC")):
            yield Command(
                f":CONFigure:{word}",
                partial(self._told_to_configure, function),
                takes=(0, 3),
            )
            yield Command(":CONFigure", query=lambda _: self._senses.configured())
            yield Command(
                f":MEASure:{word}",
                query=partial(self._measure, function),
                asks=(0, 3),
            )
        yield Command(
            ":SYSTem:TSTamp:RELative:RESet", lambda _: self._restart_clock(), takes=(0, 0)
        )
        yield Command(":SYSTem:RNUMber:RESet", lambda _: self._restart_count(), takes=(0, 0))

    def _relay_commands(self) -> Iterator[Command]:
        switching = self._switching
        yield Command(
            ":ROUTe:CLOSe", self._close, lambda _: channel_list(self._mux.closed_channels)
        )
        yield Command(":ROUTe:CLOSe:STATe", query=self._measurement_states, asks=(1, 1))
        yield Command(":ROUTe:CLOSe:COUNt", query=switching.counts, asks=(1, 1))
        yield Command(":ROUTe:OPEN:ALL", lambda _: switching.open_all(), takes=(0, 0))
        yield Command(
            ":ROUTe:MULTiple:CLOSe",
            switching.close_also,
            lambda _: channel_list(self._mux.closed),
        )
        yield Command(":ROUTe:MULTiple:OPEN", switching.open_only)
        yield Command(":ROUTe:MULTiple[:CLOSe]:STATe", query=switching.states, asks=(1, 1))

    def _scan_commands(self) -> Iterator[Command]:
        yield Command(":ROUTe:SCAN[:INTernal]", self._write_list, lambda _: compressed(self._list))
        yield Command(":ROUTe:SCAN:TSOurce", self._write_source, lambda _: "IMM", takes=(1, 4))

    def _close(self, parameters: Parameters) -> None:
        """The system channel: it alone is connected to the meter."""
        numbers = self._channels(parameters.text())
        if len(numbers) != 1:
            raise ScpiError(-223 if numbers else -109)
        if numbers[0] not in self._mux.channels:
            raise ScpiError(-222)
        self._mux.only(numbers[0])
        self._senses.attach()

    def _measurement_states(self, parameters: Parameters) -> str:
        text = parameters.text()
        self._switching.measurable(text)
        return self._switching.states(Parameters((text,)))

    def _write_list(self, parameters: Parameters) -> None:
        numbers = self._switching.measurable(parameters.text())
        if len(numbers) == 1:
            raise ScpiError(-221)  # manual, 7-30: at least two channels
        self._list = numbers

    def _write_source(self, parameters: Parameters) -> None:
        """Scans start at once; limits that would start them are not emulated."""
        parameters.word(("IMMediate",))

    def _abort(self) -> None:
        self._armed = False

    def _initiate(self) -> None:
        if self._settings.flag("CONT") or self._armed:
            raise ScpiError(-213)
        if self._settings.word("SOUR") in ("IMM", "TIM"):
            self._run()
        else:
            self._armed = True

    def _read(self) -> list[Reading]:
        if self._settings.flag("CONT") or self._armed:
            raise ScpiError(-213)
        if self._settings.word("SOUR") not in ("IMM", "TIM"):
            raise ScpiError(-214)
        self._run()
        return self._latest

    def look(self) -> None:
        """Somebody looks: what continuous initiation has measured in the meantime is there."""
        if self._settings.flag("CONT") and self._settings.word("SOUR") in ("IMM", "TIM"):
            self._run(1)

    def _fetched(self) -> list[Reading]:
        self.look()
        if not self._latest:
            raise ScpiError(-230)
        return self._latest

    def _told_to_configure(self, function: str, _: Parameters) -> None:
        self._configure(function)

    def _configure(self, function: str) -> None:
        self._senses.select(function)
        for name, value in (("COUN", 1.0), ("SAMP", 1.0), ("SOUR", "IMM"), ("LSEL", "NONE")):
            self._settings.put(name, value)
        self._settings.put("CONT", False)

    def _measure(self, function: str, parameters: Parameters) -> Reply:
        """``MEASure?``: with a channel list, of each of its channels in turn."""
        texts = list(parameters.rest())
        self._configure(function)
        if not texts or not texts[-1].startswith("("):
            return self._form.spelled(self._read())
        readings = []
        for number in self._channels(texts[-1]):
            if number not in self._mux.channels:
                raise ScpiError(-222)
            self._mux.only(number)
            self._senses.attach()
            readings += self._read()
        return self._form.spelled(readings)

    def _run(self, most_triggers: float = math.inf) -> None:
        """Triggers times samples; the samples of the last trigger remain."""
        n_triggers = min(self._settings.number("COUN"), most_triggers)
        n_samples = self._settings.whole("SAMP")
        if n_triggers * n_samples > MOST_READINGS:
            raise ScpiError(-225)  # a real one would be busy for hours
        scans = self._settings.word("LSEL") == "INT"
        if scans and not self._list:
            raise ScpiError(-221)
        place = 0
        for index in range(int(n_triggers)):
            started_seconds = self._world.now_seconds
            self._latest = []
            for _ in range(n_samples):
                scanned = self._list[place % len(self._list)] if scans else NO_CHANNEL
                place += 1
                self._latest.append(self._taken(scanned))
            if self._settings.word("SOUR") == "TIM" and index + 1 < n_triggers:
                wait = started_seconds + self._settings.number("TIM") - self._world.now_seconds
                self._world.elapse(max(0.0, wait))
            self._buffer.keep(self._latest)

    def _taken(self, scanned: int) -> Reading:
        if scanned:
            self._mux.only(scanned)
            self._senses.attach(scanned)
        value = self._senses.measure(scanned)
        number = self._n_readings
        self._n_readings += 1
        seconds = self._world.now_seconds - self._epoch_seconds
        unit = self._senses.unit(scanned)
        return Reading(value, unit, seconds, number, self._senses.connected())

    def _restart_clock(self) -> None:
        self._epoch_seconds = self._world.now_seconds

    def _restart_count(self) -> None:
        self._n_readings = 0


def _declared() -> Iterator[Choice | Flag | Number]:
    root = ":TRIGger[:SEQuence[1]]"
    sources = ("IMMediate", "TIMer", "MANual", "BUS", "EXTernal")
    yield Choice(f"{root}:SOURce", "SOUR", "IMM", sources)
    yield Number(f"{root}:COUNt", "COUN", 1.0, 1.0, math.inf)
    yield Number(f"{root}:TIMer", "TIM", 0.1, 0.001, 999_999.999, "S")
    yield Number(":SAMPle:COUNt", "SAMP", 1.0, 1.0, MOST_READINGS, whole=True)
    yield Flag(":INITiate:CONTinuous", "CONT", False)
    yield Choice(":ROUTe:SCAN:LSELect", "LSEL", "NONE", ("INTernal", "NONE"))
    yield Flag(":ROUTe:SCAN:NVOLatile", "NVOL", False)
    yield Flag(":ROUTe:MONitor:STATe", "MON", False)
