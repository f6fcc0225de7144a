"""The emulated sample-and-hold board: bytes of a serial port in, replies out."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.emulated import shboard_pulse, shboard_run
from drivers.emulated.shboard_commands import Command, Parameters, spellings, table
from drivers.emulated.shboard_framing import Framer
from drivers.emulated.shboard_hardware import Hardware
from drivers.emulated.shboard_parser import BoardError, Unit, units
from drivers.emulated.shboard_state import BoardState

__all__ = ["ShBoard"]


class ShBoard:
    """A board as ``drivers/board/SPECIFICATION.md`` defines it, around any electronics.

    Satisfies ``EmulatedInstrument``. It commands nothing by itself: time is looked at when bytes
    come and at :meth:`poll`.

    Args:
        hardware: what it drives and reads.
        now: seconds of a clock that never goes back.
    """

    def __init__(self, hardware: Hardware, now: Callable[[], float] = time.monotonic) -> None:
        self.state = BoardState(hardware)
        self._now = now
        self._heard_ms = self._now_ms()
        self._framer = Framer(hardware.geometry.message_bytes)
        self._commands: dict[tuple[str, bool], Command] = {}
        for command in (*table(), *_bulk()):
            for header in spellings(command.header):
                self._commands[header, command.is_query] = command

    def reset_session(self) -> None:
        """Forget a message that is not complete."""
        self._framer.reset()

    def receive(self, data: bytes) -> bytes:
        """Carry out the messages these bytes complete; never raises."""
        self.poll()
        replies = []
        while data:
            found, data = self._framer.feed(data, self._now_ms())
            for item in found:
                if isinstance(item, bytes):
                    replies.append(self._carry_out(item))
                    self._heard_ms = self._now_ms()
                else:
                    self.state.errors.put(item)
        return b"".join(replies)

    def poll(self) -> None:
        """Fall to the safe state where the host is silent or the interlock open."""
        state = self.state
        if not state.armed:
            return
        if not state.hardware.interlock_closed():
            code = 102
        elif self._now_ms() - self._heard_ms >= state.dead_man_ms:
            code = 103
        else:
            return
        state.make_safe()
        state.errors.put(code)

    def _now_ms(self) -> int:
        return int(self._now() * 1000.0 + 0.5)

    def _carry_out(self, message: bytes) -> bytes:
        """One message up to its first error; the replies, joined."""
        replies: list[bytes] = []
        for unit in units(message):
            code = self._unit(unit, replies)
            if code:
                self.state.errors.put(code)
                break
        return b";".join(replies) + b"\n" if replies else b""

    def _unit(self, unit: Unit, replies: list[bytes]) -> int:
        """Carry out one unit; the error, or 0."""
        command = self._commands.get((unit.header, unit.is_query))
        if command is None:
            return -113
        code, reply = self._attempt(command, unit)
        if command.header == "RUN" and reply is None:
            reply = shboard_run.refusal(code)
        elif command.header in ("PULSe:EXECute", "PULSe:DEVice"):
            reply = shboard_pulse.outcome(self.state, code)
        if reply is not None:
            replies.append(reply if isinstance(reply, bytes) else reply.encode("ascii"))
        return code

    def _attempt(self, command: Command, unit: Unit) -> tuple[int, str | bytes | None]:
        count = len(unit.parameters)
        if unit.fault is not None:
            return unit.fault, None
        if count < command.fewest:
            return -109, None
        if count > command.most:
            return -108, None
        try:
            if command.header == "RUN":
                return shboard_run.run(self.state, unit.parameters)
            return 0, command.handler(self.state, unit.parameters)
        except BoardError as error:
            return error.code, None


def _bulk() -> list[Command]:
    """Commands whose replies tell of their own refusal."""

    def none(_: BoardState, __: Parameters) -> None:
        return None

    def last(state: BoardState, _: Parameters) -> str:
        return f"{state.sequence},{state.requested},{state.applied}"

    return [
        Command("RUN", True, none, 3, shboard_run.MAX_PHASES + 2),
        Command("PULSe:EXECute", True, lambda s, p: shboard_pulse.execute(s, p[0]), 1, 1),
        Command("PULSe:DEVice", True, lambda s, p: shboard_pulse.one_device(s, p), 3, 3),
        Command("PULSe:LAST", True, last),
    ]
