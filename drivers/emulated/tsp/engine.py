"""The engine of an emulated TSP instrument: bytes of a session in, replies out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.emulated.tsp.common_commands import CommonCommands
from drivers.emulated.tsp.errors import ErrorQueue, TspError
from drivers.emulated.tsp.objects import TspTable
from drivers.emulated.tsp.printing import Printer
from drivers.emulated.tsp.sandbox import Sandbox
from drivers.emulated.tsp.scripts import Loader, Scripts
from drivers.emulated.tsp.status import Status

__all__ = ["TspEngine"]

_LONGEST_LINE = 1_000_000
_LARGEST_OUTPUT = 16_000_000


class TspEngine:
    """Runs messages, one line each, in one Lua state; satisfies ``EmulatedInstrument``.

    Args:
        identity: the answer to ``*IDN?``.
        status: registers; takes note of the errors.
        digits: significant digits of printed numbers until a script chooses others.

    Attributes:
        errors: the error queue.
        printer: how values are written.
        on_settle: called after every message and whenever a script waits: what runs beside the
            scripts, such as sweeps, goes on. Its argument says whether all of it must end.
        on_reset: ``*RST`` and ``reset()``.
        on_trigger: ``*TRG``.
    """

    def __init__(self, identity: str, status: Status, digits: int = 6) -> None:
        self.errors = ErrorQueue(status.note_error)
        self.status = status
        self._output = bytearray()
        self.printer = Printer(self._write, digits)
        self._sandbox = Sandbox(self.errors.put, self.printer.print_values)
        self._scripts = Scripts(self._sandbox, self.printer.print_values)
        self._loader = Loader(self._scripts, self._sandbox)
        self._globals: dict[str, Any] = {}
        self._pending = b""
        self._overrun = False
        self.prompts = False
        self.on_settle: Callable[[bool], None] = lambda _: None
        self.on_reset: Callable[[], None] = lambda: None
        self.on_trigger: Callable[[], None] = lambda: None
        self._common = CommonCommands(identity, self)
        self._define_own()

    # -- EmulatedInstrument

    def receive(self, data: bytes) -> bytes:
        """Carry out the lines these bytes complete; never raises."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._message(line)
        if len(self._pending) > _LONGEST_LINE:
            self._pending = b""
            self._overrun = True
        reply = bytes(self._output)
        self._output.clear()
        return reply

    def reset_session(self) -> None:
        """Forget half a line and a script without its end."""
        self._pending = b""
        self._overrun = False
        self._output.clear()
        self._loader.reset()

    # -- for the instrument

    def define(self, name: str, value: Any) -> None:
        """A global of the scripts, from :meth:`start` on: a table, a function, a constant."""
        self._globals[name] = value

    def start(self, factory_scripts: str = "") -> None:
        """Put together what was defined; before it no message may come.

        Args:
            factory_scripts: Lua that an instrument of this kind is delivered with.
        """
        for name, value in self._globals.items():
            self._sandbox.define(name, value)
        self._sandbox.run(self._sandbox.compile(factory_scripts))

    def wait_complete(self) -> None:
        """``waitcomplete()``: everything that runs beside the scripts ends first."""
        self.on_settle(True)

    def say(self, text: str) -> None:
        """A reply line."""
        self._output.extend(text.encode("latin-1") + b"\n")

    def _write(self, reply: bytes) -> bool:
        if len(self._output) + len(reply) > _LARGEST_OUTPUT:
            return False
        self._output += reply
        return True

    # -- messages

    def _message(self, raw: bytes) -> None:
        if self._overrun:  # the rest of a line whose beginning was thrown away
            self._overrun = False
            self.errors.put(TspError(-363, "Input buffer overrun"))
            return
        line = raw.decode("latin-1").rstrip("\r")
        n_errors = len(self.errors)
        try:
            self._carry_out(line)
        except TspError as error:
            self.errors.put(error)
        self.on_settle(False)
        if self.prompts:
            self._prompt(len(self.errors) > n_errors)

    def _carry_out(self, line: str) -> None:
        if self._loader.loading:
            self._loader.take(line)
        elif self._loader.starts(line):
            return
        elif line.lstrip().startswith("*"):
            self._common.run(line)
        elif line.strip() not in ("", "abort"):  # no script runs while a message is read
            chunk = self._sandbox.compile(line)
            if chunk is not None:
                self._sandbox.run(chunk)

    def _prompt(self, failed: bool) -> None:
        if self._loader.loading:
            self.say(">>>>")
        else:
            self.say("TSP?" if failed else "TSP>")

    # -- what every TSP instrument has

    def _define_own(self) -> None:
        queue = TspTable()
        queue.attribute("count", lambda: len(self.errors))
        queue.function("next", lambda *_: tuple(self.errors.take()))
        queue.function("clear", self.errors.clear)
        self.define("errorqueue", queue)
        self.define("format", self.printer.table)
        self.define("printbuffer", self.printer.print_buffer)
        self.define("printnumber", self.printer.print_numbers)
        self.define("script", self._scripts.table)
        self.define("status", self.status.table)
        self.define("waitcomplete", lambda *_: self.wait_complete())
        self.define("opc", lambda: self.status.standard.signal(0))
        self.define("reset", lambda *_: self.on_reset())
        self.define("exit", lambda: None)
