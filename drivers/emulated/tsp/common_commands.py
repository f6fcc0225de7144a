"""Common commands (``*IDN?`` and the like), which TSP instruments take besides Lua."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from drivers.emulated.tsp.errors import ErrorQueue, TspError
from drivers.emulated.tsp.status import Status

__all__ = ["CommonCommands"]

_OPERATION_COMPLETE = 0


class _Engine(Protocol):
    errors: ErrorQueue
    status: Status
    on_reset: Callable[[], None]
    on_trigger: Callable[[], None]

    def say(self, text: str) -> None: ...

    def wait_complete(self) -> None: ...


class CommonCommands:
    """The commands of IEEE 488.2, section 10.

    Args:
        identity: the answer to ``*IDN?``.
        engine: whose state they change and whose voice they use.
    """

    def __init__(self, identity: str, engine: _Engine) -> None:
        self._engine = engine
        status = engine.status
        self._queries: dict[str, Callable[[], str]] = {
            "*IDN?": lambda: identity,
            "*OPC?": self._operation_complete,
            "*TST?": lambda: "0",
            "*ESR?": lambda: str(status.standard.take_event()),
            "*ESE?": lambda: str(status.standard.enable),
            "*SRE?": lambda: str(status.request_enable),
            "*STB?": lambda: str(status.byte(bool(engine.errors))),
        }
        self._commands: dict[str, Callable[[], None]] = {
            "*CLS": self._clear,
            "*RST": lambda: engine.on_reset(),
            "*TRG": lambda: engine.on_trigger(),
            "*WAI": engine.wait_complete,
            "*OPC": lambda: status.standard.signal(_OPERATION_COMPLETE),
        }

    def run(self, message: str) -> None:
        """Carry out commands separated by semicolons.

        Raises:
            TspError: -285: a command that is not known, or its argument.
        """
        for command in message.split(";"):
            words = command.split()
            if words:
                self._one(words[0].upper(), words[1:])

    def _one(self, word: str, arguments: list[str]) -> None:
        if word in ("*ESE", "*SRE") and len(arguments) == 1:
            self._enable(word, arguments[0])
        elif arguments:
            raise TspError(-285, f"TSP Syntax error at line 1: unexpected argument of {word}")
        elif word in self._queries:
            self._engine.say(self._queries[word]())
        elif word in self._commands:
            self._commands[word]()
        else:
            raise TspError(-285, f"TSP Syntax error at line 1: unknown common command {word}")

    def _enable(self, word: str, argument: str) -> None:
        try:
            bits = int(float(argument)) & 0xFF
        except (ValueError, OverflowError):
            raise TspError(-285, f"TSP Syntax error at line 1: argument of {word}") from None
        if word == "*ESE":
            self._engine.status.standard.enable = bits
        else:
            self._engine.status.request_enable = bits & ~64

    def _operation_complete(self) -> str:
        self._engine.wait_complete()
        return "1"

    def _clear(self) -> None:
        self._engine.errors.clear()
        self._engine.status.clear_events()
