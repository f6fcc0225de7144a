"""The status model of a TSP instrument: register sets, their summaries and the status byte.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F, section 12 "Status model".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from drivers.emulated.tsp.objects import TspTable, number

__all__ = ["Register", "Status"]

_LARGEST = 0xFFFF
_STANDARD = {
    "OPERATION_COMPLETE": "OPC",
    "REQUEST_CONTROL": "RQC",
    "QUERY_ERROR": "QYE",
    "DEVICE_DEPENDENT_ERROR": "DDE",
    "EXECUTION_ERROR": "EXE",
    "COMMAND_ERROR": "CME",
    "USER_REQUEST": "URQ",
    "POWER_ON": "PON",
}
_BYTE = {
    "MEASUREMENT_SUMMARY_BIT": ("MSB", 0),
    "SYSTEM_SUMMARY_BIT": ("SSB", 1),
    "ERROR_AVAILABLE": ("EAV", 2),
    "QUESTIONABLE_SUMMARY_BIT": ("QSB", 3),
    "MESSAGE_AVAILABLE": ("MAV", 4),
    "EVENT_SUMMARY_BIT": ("ESB", 5),
    "MASTER_SUMMARY_STATUS": ("MSS", 6),
    "OPERATION_SUMMARY_BIT": ("OSB", 7),
}


class Register:
    """Condition, event, enable and the two transition filters of one register set.

    Args:
        names: of the bits, short or long, and their numbers; constants of the table.
        live: what the condition is now; None: what :meth:`signal` and the children say.
    """

    def __init__(self, names: Mapping[str, int], live: Callable[[], int] | None = None) -> None:
        self._live = live
        self._mask = sum({1 << bit for bit in names.values()})
        self._children: list[tuple[int, Register]] = []
        self._last = 0
        self._event = 0
        self.reset()
        self.table = TspTable("status_set")
        self.table.constants({name: 1 << bit for name, bit in names.items()})
        self.table.attribute("condition", self.condition)
        self.table.attribute("event", self.take_event)
        for name in ("enable", "ntr", "ptr"):
            self._writable(name)

    def child(
        self, name: str, bit: int, names: Mapping[str, int], live: Callable[[], int] | None = None
    ) -> Register:
        """A register set whose enabled events set a bit of this one's condition."""
        child = Register(names, live)
        self._children.append((bit, child))
        self.table.table(name, child.table)
        return child

    def reset(self) -> None:
        """``status.reset()``: nothing enabled, every rise an event."""
        self.enable = 0
        self.ntr = 0
        self.ptr = _LARGEST
        self._event = 0
        for _, child in self._children:
            child.reset()

    def condition(self) -> int:
        """The bits that are true now; takes note of those that changed."""
        bits = 0 if self._live is None else self._live()
        for bit, child in self._children:
            child.condition()
            bits |= child.summary << bit
        self._event |= bits & ~self._last & self.ptr | self._last & ~bits & self.ntr
        self._last = bits
        return bits

    def take_event(self) -> int:
        """The event bits, which reading clears."""
        self.condition()
        event, self._event = self._event, 0
        return event

    def clear_events(self) -> None:
        """``*CLS``: events, here and in children; a lasting condition is no new event."""
        self.condition()
        self._event = 0
        for _, child in self._children:
            child.clear_events()

    def signal(self, bit: int) -> None:
        """An event that has no lasting condition."""
        self._event |= 1 << bit

    @property
    def summary(self) -> bool:
        """Whether an enabled event is set."""
        return bool(self._event & self.enable)

    def _writable(self, name: str) -> None:
        def write(value: object) -> None:
            setattr(self, name, int(number(value)) & _LARGEST)

        self.table.attribute(name, lambda: getattr(self, name), write)


class Status:
    """The registers of an instrument and its status byte.

    Attributes:
        standard: the standard events of IEEE 488.2.
        request_enable: bits of the status byte that request service.
    """

    def __init__(self) -> None:
        names = {long: bit for bit, long in enumerate(_STANDARD)}
        names |= {short: bit for bit, short in enumerate(_STANDARD.values())}
        self.standard = Register(names)
        self.standard.signal(7)  # power on
        self.request_enable = 0
        self._registers: list[tuple[int, Register]] = [(5, self.standard)]
        self.table = TspTable()
        self.table.table("standard", self.standard.table)
        for long, (short, bit) in _BYTE.items():
            self.table.constants({long: 1 << bit, short: 1 << bit})
        self.table.attribute("condition", lambda: self.byte(False))
        self.table.attribute("node_event", lambda: self.byte(False))
        for name in ("request_enable", "node_enable"):
            self.table.attribute(name, lambda: self.request_enable, self._write_enable)
        self.table.attribute("request_event", lambda: self.byte(False) & self.request_enable)
        self.table.function("reset", self.reset)

    def add(
        self, name: str, bit: int, names: Mapping[str, int], live: Callable[[], int] | None = None
    ) -> Register:
        """A register set summarised in a bit of the status byte."""
        register = Register(names, live)
        self._registers.append((bit, register))
        self.table.table(name, register.table)
        return register

    def byte(self, error_available: bool) -> int:
        """The status byte."""
        bits = 4 * error_available
        for bit, register in self._registers:
            register.condition()
            bits |= register.summary << bit
        return bits | 64 * bool(bits & self.request_enable)

    def note_error(self, code: int) -> None:
        """The standard event an error is (IEEE 488.2, 11.5.1.1)."""
        if code < 0:
            bit = {1: 5, 2: 4, 4: 2}.get(-code // 100, 3)
            self.standard.signal(4 if code == -286 else 5 if code == -285 else bit)
        else:
            self.standard.signal(3 if code >= 100 else 4)

    def registers(self) -> Iterator[Register]:
        """Those directly below the status byte."""
        return (register for _, register in self._registers)

    def clear_events(self) -> None:
        """``*CLS``."""
        for register in self.registers():
            register.clear_events()

    def reset(self) -> None:
        """``status.reset()``."""
        self.request_enable = 0
        for register in self.registers():
            register.reset()

    def _write_enable(self, value: object) -> None:
        self.request_enable = int(number(value)) & 0xFF & ~64
