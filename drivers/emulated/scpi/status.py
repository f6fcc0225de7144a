"""The status system: registers, their summary in the status byte, and the commands for them.

IEEE 488.2 chapter 11 and SCPI-99 volume 1 chapter 9: a condition that rises sets an event bit,
an enabled event bit sets a summary bit of the status byte, an enabled bit of that byte sets
bit 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ErrorQueue, ScpiError, event_bit

__all__ = ["Register", "StatusSystem"]

LARGEST = 0xFFFF


class Register:
    """Condition, event and enable bits of one register set."""

    def __init__(self) -> None:
        self.condition = 0
        self.event = 0
        self.enable = 0

    def set_condition(self, bit: int, value: bool) -> None:
        """Set or clear a condition; a rise is an event."""
        mask = 1 << bit
        if value and not self.condition & mask:
            self.event |= mask
        self.condition = self.condition | mask if value else self.condition & ~mask

    def signal(self, bit: int) -> None:
        """An event that has no lasting condition."""
        self.event |= 1 << bit

    def take_event(self) -> int:
        """The event bits, which reading clears."""
        event, self.event = self.event, 0
        return event

    @property
    def summary(self) -> bool:
        """Whether an enabled event is set."""
        return bool(self.event & self.enable)


class StatusSystem:
    """Status byte, standard events, any number of further registers, and the error queue.

    Args:
        errors: the queue, summarised in bit 2.
        registers: keyword (as in ``STATus:MEASurement``) and its bit of the status byte.
        spell: how a register is answered; ``FORMat:SREGister`` may change it.
        refresh: called before conditions are looked at, for those that cost a measurement.
    """

    def __init__(
        self,
        errors: ErrorQueue,
        registers: dict[str, int],
        spell: Callable[[int], str] = str,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self.errors = errors
        self.standard = Register()
        self.standard.signal(7)  # power on
        self.registers = {keyword: Register() for keyword in registers}
        self._bits = registers
        self._service_enable = 0
        self._spell = spell
        self._refresh = refresh

    def report(self, error: ScpiError) -> None:
        """Queue an error and set its bit of the standard events."""
        self.errors.put(error.code, error.text)
        self.standard.signal(event_bit(error.code))

    @property
    def byte(self) -> int:
        """The status byte, with the master summary in bit 6."""
        self._refresh()
        byte = 4 * bool(self.errors) | 32 * self.standard.summary
        for keyword, register in self.registers.items():
            byte |= register.summary << self._bits[keyword]
        return byte | 64 * bool(byte & self._service_enable)

    def clear(self) -> None:
        """``*CLS``: events and errors, not the enables."""
        self.errors.clear()
        for register in (self.standard, *self.registers.values()):
            register.event = 0

    def preset(self) -> None:
        """``STATus:PRESet``: the enables of the further registers."""
        for register in self.registers.values():
            register.enable = 0

    def commands(self) -> Iterator[Command]:
        """Common status commands, ``STATus:...`` and ``SYSTem:ERRor...``."""
        yield Command("*CLS", lambda _: self.clear(), takes=(0, 0))
        yield Command("*ESR", query=lambda _: self._spell(self.standard.take_event()))
        yield Command("*STB", query=lambda _: self._spell(self.byte))
        yield Command("*ESE", self._write_standard_enable, self._standard_enable)
        yield Command("*SRE", self._write_service_enable, self._service)
        yield Command(":STATus:PRESet", lambda _: self.preset(), takes=(0, 0))
        for keyword, register in self.registers.items():
            yield from self._register_commands(f":STATus:{keyword}", register)
        yield from self._queue_commands()

    def _register_commands(self, header: str, register: Register) -> Iterator[Command]:
        def write(parameters: Parameters) -> None:
            register.enable = parameters.whole(0, LARGEST)

        def event(_: Parameters) -> str:
            self._refresh()
            return self._spell(register.take_event())

        def condition(_: Parameters) -> str:
            self._refresh()
            return self._spell(register.condition)

        yield Command(f"{header}[:EVENt]", query=event)
        yield Command(f"{header}:CONDition", query=condition)
        yield Command(f"{header}:ENABle", write, lambda _: self._spell(register.enable))

    def _queue_commands(self) -> Iterator[Command]:
        for header in (":SYSTem:ERRor", ":STATus:QUEue"):
            yield Command(f"{header}[:NEXT]", query=lambda _: self._next_error())
            yield Command(f"{header}:ALL", query=lambda _: self._all_errors())
            yield Command(f"{header}:COUNt", query=lambda _: str(len(self.errors)))
            yield Command(f"{header}:CODE[:NEXT]", query=lambda _: str(self.errors.take()[0]))
            yield Command(f"{header}:CLEar", lambda _: self.errors.clear(), takes=(0, 0))
        yield Command(":SYSTem:CLEar", lambda _: self.errors.clear(), takes=(0, 0))

    def _next_error(self) -> str:
        code, text = self.errors.take()
        return f'{code:+d},"{text}"' if code else f'0,"{text}"'

    def _all_errors(self) -> str:
        entries = [self._next_error()]
        while len(self.errors):
            entries.append(self._next_error())
        return ",".join(entries)

    def _standard_enable(self, _: Parameters) -> str:
        return self._spell(self.standard.enable)

    def _write_standard_enable(self, parameters: Parameters) -> None:
        self.standard.enable = parameters.whole(0, 255)

    def _service(self, _: Parameters) -> str:
        return self._spell(self._service_enable)

    def _write_service_enable(self, parameters: Parameters) -> None:
        self._service_enable = parameters.whole(0, 255) & ~64
