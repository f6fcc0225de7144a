"""An emulated Keithley switching mainframe: slots with cards, behind a Lua engine.

Not emulated: scans, the multimeter of the 3706A, digital channels, and 707B emulation of older
models' device-dependent commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.emulated.tsp.channel_table import ChannelTable
from drivers.emulated.tsp.clock import Clock
from drivers.emulated.tsp.engine import TspEngine
from drivers.emulated.tsp.events import EventBus, trigger_tables
from drivers.emulated.tsp.objects import TspTable
from drivers.emulated.tsp.ports import digital_port, link
from drivers.emulated.tsp.status import Status
from drivers.emulated.tsp.switch_cards import SwitchCard
from drivers.emulated.tsp.switching import Relays
from drivers.emulated.tsp.system import Identity, SystemTables

__all__ = ["N_SLOTS", "SwitchMainframe"]

N_SLOTS = 6
_CARD_FIRMWARE = "01.40a"
_INTERLOCKS_ENGAGED = 3.0
_DIGITS = 10  # of printed numbers: manuals, format.asciiprecision
_PATTERN_CATALOG = r"""
local list = channel.pattern.list
getmetatable(channel.pattern).Objects.catalog = function()
  local names, i = list(), 0
  return function()
    i = i + 1
    return names[i]
  end
end
"""
_SYSTEM_BITS = {"INSTRUMENT_SUMMARY": 13, "INST": 13}


class SwitchMainframe:
    """One mainframe.

    Args:
        clock: the world's time.
        identity: model, serial number and firmware.
        cards: by slot number, 1 to 6; slots not named are empty.
        on_change: called with the names of all closed channels whenever relays have moved, so
            also between the break and the make.
        is_live: whether there is voltage or current at a channel; for counting hot switching.

    Raises:
        ConfigurationError: the Lua engine is not installed.
    """

    def __init__(
        self,
        clock: Clock,
        identity: Identity,
        cards: Mapping[int, SwitchCard],
        on_change: Callable[[frozenset[str]], None] = lambda _: None,
        is_live: Callable[[str], bool] | None = None,
    ) -> None:
        self._cards = dict(sorted(cards.items()))
        self.relays = Relays(self._cards, clock, on_change, is_live)
        self._channel = ChannelTable(self._cards, self.relays)
        status = Status()
        for name, bit in (("measurement", 0), ("system", 1), ("questionable", 3), ("operation", 7)):
            status.add(name, bit, _SYSTEM_BITS)
        self._engine = TspEngine(identity.idn, status, _DIGITS)
        screens = {"MAIN": 0.0, "USER": 1.0}
        self._system = SystemTables(self._engine, identity, clock, screens)
        slots = [self._slot(slot) for slot in range(1, N_SLOTS + 1)]
        self._engine.define("channel", self._channel.table)
        self._engine.define("slot", slots)
        self._engine.define("memory", _memory())
        self._system.localnode.table("channel", self._channel.table)
        self._bus = EventBus(clock)
        trigger, command_event = trigger_tables(self._bus)
        self._engine.define("trigger", trigger)
        self._engine.define("digio", digital_port(self._bus))
        self._engine.define("tsplink", link(self._bus))
        self._engine.on_reset = self._reset
        self._engine.on_trigger = lambda: self._bus.post(command_event)
        self._engine.on_settle = lambda _: self._bus.settle()
        self._engine.start(_PATTERN_CATALOG)

    def receive(self, data: bytes) -> bytes:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        return self._engine.receive(data)

    def reset_session(self) -> None:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        self._engine.reset_session()

    @property
    def closed(self) -> frozenset[str]:
        """Names of all closed channels."""
        return self.relays.closed

    def _reset(self) -> None:
        self._channel.reset()
        self._system.reset()

    def _slot(self, slot: int) -> TspTable:
        table = TspTable()
        table.constants({"PSEUDO_NONE": 0})
        card = self._cards.get(slot)
        if card is None:
            table.attribute("idn", lambda: "Empty Slot")
            return table
        serial = f"{1200000 + slot}"
        idn = f"{card.model},{card.description},{_CARD_FIRMWARE},{serial}"
        table.attribute("idn", lambda: idn)
        table.constants({"maxvoltage": card.volts})
        table.constants({card.kind: 1})
        table.table("interlock").constants({"state": _INTERLOCKS_ENGAGED})
        table.table("poles").constants({"one": 1, "two": 1, "four": 1})
        table.table("columns").constants({"matrix": card.columns if card.rows else 0})
        table.table("rows").constants({"matrix": len(card.rows)})
        table.table("banks").constants({"matrix": 1 if card.rows else 0})
        if not card.rows:
            table.table("startchannel").constants({card.kind: 1})
            table.table("endchannel").constants({card.kind: card.columns})
        return table


def _memory() -> TspTable:
    memory = TspTable()
    memory.function("available", lambda: "72.00, 98.00, 100.00, 100.00")
    memory.function("used", lambda: "28.00, 2.00, 0.00, 0.00")
    return memory
