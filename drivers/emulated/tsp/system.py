"""What every TSP instrument has besides its own business: node, display, timer, delay and so on.

Set-ups are not kept, and nobody reads the front panel: both take what they are told.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from drivers.emulated.tsp.clock import Clock
from drivers.emulated.tsp.engine import TspEngine
from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.front_panel import beeper, front_panel
from drivers.emulated.tsp.objects import TspTable, number

__all__ = ["Identity", "SystemTables"]

_LONGEST_DELAY_SECONDS = 1e6
_MOST_USERSTRINGS, _LONGEST_USERSTRING = 1000, 10_000
_LINE_HERTZ = 60.0


class Identity:
    """Who the instrument says it is.

    Args:
        model: such as ``2636B``.
        serial: serial number.
        firmware: revision.
        description: one line for people.
    """

    def __init__(self, model: str, serial: str, firmware: str, description: str) -> None:
        self.model = model
        self.serial = serial
        self.firmware = firmware
        self.description = description

    @property
    def idn(self) -> str:
        """The answer to ``*IDN?``."""
        return f"Keithley Instruments Inc., Model {self.model}, {self.serial}, {self.firmware}"


class SystemTables:
    """Defines the common tables in an engine.

    Args:
        engine: where they go.
        identity: for ``localnode``.
        clock: whose time ``delay`` and ``timer`` use; nothing here ever sleeps.
        screens: values of ``display.screen`` by name.

    Attributes:
        localnode: the node's table; instruments add their own tables to it.
        display: the front panel's table.
    """

    def __init__(
        self, engine: TspEngine, identity: Identity, clock: Clock, screens: dict[str, float]
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._timer_start = clock.now_seconds
        self._userstrings: dict[str, str] = {}
        self.localnode = self._node(identity)
        self.display = front_panel(screens)
        tables = {
            "localnode": self.localnode,
            "node": [self.localnode],
            "display": self.display,
            "beeper": beeper(clock),
            "timer": self._timer(),
            "eventlog": _eventlog(),
            "userstring": self._userstring(),
            "dataqueue": _dataqueue(),
            "lan": _lan(),
            "gpib": _stored(address=26.0),
            "comm": _comm(),
            "setup": _setup(),
            "os": self._os(),
        }
        for name, table in tables.items():
            engine.define(name, table)
        engine.define("delay", self._delay)
        for name in ("settime", "settimezone"):
            engine.define(name, lambda *_: None)
        engine.define("gettimezone", lambda: "0")
        engine.define("makegetter", lambda table, name: table.getters[name])
        engine.define("makesetter", lambda table, name: table.setters[name])
        engine.define("meminfo", lambda: (16384.0, 32768.0))

    def reset(self) -> None:
        """``reset()``: what of these tables a reset concerns."""
        self.display.reset()
        self._engine.printer.table.reset()

    def _delay(self, seconds: Any) -> None:
        wanted = number(seconds)
        if not 0 <= wanted <= _LONGEST_DELAY_SECONDS:
            raise TspError(1102 if wanted < 0 else 1101)
        self._clock.elapse(wanted)
        self._engine.on_settle(False)

    def _node(self, identity: Identity) -> TspTable:
        node = TspTable()
        for name, value in (
            ("model", identity.model),
            ("serialno", identity.serial),
            ("revision", identity.firmware),
            ("version", identity.firmware),
            ("description", identity.description),
            ("license", "none"),
        ):
            node.attribute(name, partial(str, value))
        node.number("linefreq", _LINE_HERTZ, 50.0, 60.0)
        node.flag("autolinefreq", True)
        node.attribute("prompts", lambda: float(self._engine.prompts), self._set_prompts)
        node.choice("prompts4882", 1.0, (0.0, 1.0))
        node.choice("showerrors", 0.0, (0.0, 1.0))
        node.text("password", "")
        node.choice("passwordmode", 0.0, (0.0, 1.0, 2.0, 3.0, 4.0))
        node.constants({"ENABLE": 1, "DISABLE": 0, "PASSWORD_NONE": 0})
        node.function("reset", lambda: self._engine.on_reset())
        node.function("gettime", lambda: self._clock.now_seconds)
        return node

    def _set_prompts(self, value: Any) -> None:
        self._engine.prompts = number(value) > 0

    def _timer(self) -> TspTable:
        timer = TspTable()

        def restart() -> None:
            self._timer_start = self._clock.now_seconds

        timer.function("reset", restart)
        measure = timer.table("measure")
        measure.function("t", lambda: self._clock.now_seconds - self._timer_start)
        return timer

    def _userstring(self) -> TspTable:
        table = TspTable()

        def add(name: str, value: Any) -> None:
            if len(self._userstrings) >= _MOST_USERSTRINGS or len(str(value)) > _LONGEST_USERSTRING:
                raise TspError(-225)
            self._userstrings[name] = str(value)

        table.function("add", add)
        table.function("delete", lambda name: self._userstrings.pop(name, None) and None)
        table.function("get", self._userstrings.get)
        return table

    def _os(self) -> TspTable:
        table = TspTable()
        table.function("time", lambda *_: float(int(self._clock.now_seconds)))
        table.function("clock", lambda: self._clock.now_seconds)
        return table


def _stored(**values: float) -> TspTable:
    table = TspTable()
    for name, value in values.items():
        table.stored(name, value, lambda written: written)
    return table


def _comm() -> TspTable:
    comm = TspTable()
    for name in ("gpib", "lan", "rs232", "usb"):
        table = comm.table(name)
        table.flag("enable", True)
        table.constants({"ENABLE": 1, "DISABLE": 0})
    comm.constants({"ENABLE": 1, "DISABLE": 0})
    return comm


def _lan() -> TspTable:
    lan = TspTable()
    status = lan.table("status")
    for name, value in (
        ("ipaddress", "127.0.0.1"),
        ("gateway", "0.0.0.0"),
        ("subnetmask", "255.0.0.0"),
        ("macaddress", "00:00:00:00:00:00"),
    ):
        status.attribute(name, partial(str, value))
    for name in ("reset", "applysettings", "restoredefaults"):
        lan.function(name, lambda: None)
    return lan


def _setup() -> TspTable:
    setup = TspTable()
    setup.stored("poweron", 0.0, lambda written: written)
    setup.function("save", lambda *_: None)
    setup.function("recall", lambda _: None)
    return setup


def _eventlog() -> TspTable:
    log = _stored(enable=1.0, overwritemethod=1.0)
    log.attribute("count", lambda: 0.0)
    log.function("all", lambda: None)
    log.function("next", lambda: None)
    log.function("clear", lambda: None)
    return log


def _dataqueue() -> TspTable:
    queue: list[Any] = []
    table = TspTable()
    table.attribute("count", lambda: float(len(queue)))
    table.constants({"CAPACITY": 128})

    def add(value: Any, *_: Any) -> bool:
        if len(queue) < 128:
            queue.append(value)
            return True
        return False

    table.function("add", add)
    table.function("next", lambda *_: queue.pop(0) if queue else None)
    table.function("clear", queue.clear)
    return table
