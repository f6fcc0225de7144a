"""The engine: bytes of a session in, replies out, errors into the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from drivers.emulated.scpi.commands import Command, Node, Parameters, Reply, build_tree, find
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.framing import Framer
from drivers.emulated.scpi.lexer import Unit, split_units
from drivers.emulated.scpi.status import StatusSystem

__all__ = ["ScpiEngine", "common_commands"]


class ScpiEngine:
    """Runs program messages against a command tree; satisfies ``EmulatedInstrument``.

    The replies of one message are joined by ``;`` (IEEE 488.2, 8.4.1). The first error of a
    message that is a command error (-100 to -199) ends it; after any other its remaining
    units are still carried out.

    Args:
        commands: everything the instrument knows, common commands included.
        status: takes the errors.
    """

    def __init__(self, commands: Iterable[Command], status: StatusSystem) -> None:
        self._root = build_tree(commands)
        self._status = status
        self._framer = Framer()
        self._known: dict[tuple[int, str], tuple[Command, Node, tuple[int, ...]]] = {}

    def reset_session(self) -> None:
        """Forget a message that is not complete."""
        self._framer.reset()

    def receive(self, data: bytes) -> bytes:
        """Carry out the messages these bytes complete; never raises."""
        replies = []
        for message in self._framer.feed(data):
            if message is None:
                self._status.report(ScpiError(-363))
            else:
                replies.append(self._run(message.decode("latin-1")))
        return b"".join(replies)

    def _run(self, message: str) -> bytes:
        """One message; its reply with a terminator, or nothing."""
        node = self._root
        replies: list[bytes] = []
        for unit in split_units(message):
            try:
                reply, node = self._carry_out(unit, self._root if unit.absolute else node)
            except ScpiError as error:
                self._status.report(error)
                if -199 <= error.code <= -100:
                    break
                continue
            if reply is not None:
                replies.append(reply if isinstance(reply, bytes) else reply.encode("latin-1"))
        return b";".join(replies) + b"\n" if replies else b""

    def _carry_out(self, unit: Unit, start: Node) -> tuple[Reply | None, Node]:
        """One unit from a node of the tree; its reply and where the next unit begins."""
        common = unit.header.startswith("*")
        command, parent, suffixes = self._find(self._root if common else start, unit.header)
        parameters = Parameters(unit.parameters, suffixes)
        if unit.is_query:
            reply = _asked(command, parameters)
        else:
            reply = None
            _told(command, parameters)
        return reply, start if common else parent

    def _find(self, start: Node, header: str) -> tuple[Command, Node, tuple[int, ...]]:
        """Look a header up, in the tree only the first time: clients repeat themselves."""
        key = id(start), header
        if key not in self._known:
            found = find(start, header.upper().split(":"))
            if found is None:
                raise ScpiError(-113)
            self._known[key] = found
        return self._known[key]


def _asked(command: Command, parameters: Parameters) -> Reply:
    if command.query is None:
        raise ScpiError(-113)
    _check_count(parameters, command.asks)
    return command.query(parameters)


def _told(command: Command, parameters: Parameters) -> None:
    if command.write is None:
        raise ScpiError(-113)
    _check_count(parameters, command.takes)
    command.write(parameters)


def _check_count(parameters: Parameters, allowed: tuple[int, int]) -> None:
    if len(parameters) < allowed[0]:
        raise ScpiError(-109)
    if len(parameters) > allowed[1]:
        raise ScpiError(-108)


def common_commands(
    identity: str,
    status: StatusSystem,
    reset: Callable[[], None],
    trigger: Callable[[], None] | None = None,
) -> Iterator[Command]:
    """The commands of IEEE 488.2 that every instrument has, besides those of the status system.

    Operations here are complete when their message is, so ``*OPC`` and ``*WAI`` have nothing to
    wait for.

    Args:
        identity: the answer to ``*IDN?``.
        status: where ``*OPC`` sets its bit.
        reset: ``*RST``.
        trigger: ``*TRG``; None: the command is not known.
    """
    yield Command("*IDN", query=lambda _: identity)
    yield Command("*RST", lambda _: reset(), takes=(0, 0))
    yield Command("*TST", query=lambda _: "0")
    yield Command("*OPC", lambda _: status.standard.signal(0), query=lambda _: "1", takes=(0, 0))
    yield Command("*WAI", lambda _: None, takes=(0, 0))
    if trigger is not None:
        yield Command("*TRG", lambda _: trigger(), takes=(0, 0))
