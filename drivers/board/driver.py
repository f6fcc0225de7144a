"""The sample-and-hold board, as a host sees it (SPECIFICATION.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.board import codec
from drivers.board.capability import Capability
from drivers.board.codec import Phase, RunReply
from drivers.board.conversion import Codes
from drivers.board.faults import misread, refused, wrong_board
from drivers.board.pulses import Pulser
from drivers.board.session import MESSAGE_ROOM, Session
from drivers.board.settings import BoardSettings, BoardState
from drivers.transport.interface import Expect, Transport
from hil.errors import ConfigurationError, UsageError

__all__ = ["Board"]

PROTOCOL_MAJOR = "1"
_TAGS = 0x10000


class Board:
    """One board; nothing is energised before :meth:`arm`.

    Args:
        transport: the session, owned from now on.
        sleep: waits so many seconds; used to recover a disturbed session only.
        identity: regular expression that the reply to ``*IDN?`` must contain.
        bytes_per_second: speed of the line, from which the time allowed for replies follows.

    Raises:
        InstrumentError: another instrument, or another major version of the protocol.
        TransportError: it does not answer.
    """

    def __init__(
        self,
        transport: Transport,
        sleep: Callable[[float], None],
        identity: str = "SHBOARD",
        bytes_per_second: float = 11_520.0,
    ) -> None:
        self.session = Session(transport, sleep, bytes_per_second)
        self._closed = False
        self.lines_float = False
        """Whether the input lines were cut off for another instrument."""
        self._loaded: Codes | None = None
        self._kept_tag: int | None = None
        self._tag = 0
        self._settle_us = 0
        self._phase_seconds = 0.0
        try:
            self.identity = self._identified(identity)
            self.capability = self._asked_capability()
            n, longest = self.capability.n_devices, self.capability.message_bytes
            self._pulser = Pulser(self.session, n, longest)
        except BaseException:
            transport.close()
            raise

    # --- life ---------------------------------------------------------------------------------

    def configure(self, settings: BoardSettings) -> None:
        """Reset the board, then set limits, levels and times, and read them back.

        Raises:
            ConfigurationError: the dead-man timer is shorter than the longest message takes.
            InstrumentError: a setting was refused, or reads back as another one.
        """
        slowest = self.capability.message_bytes / self.session.bytes_per_second
        if settings.dead_man_ms * 1e-3 < 1.2 * slowest:
            raise ConfigurationError(
                f"{self.session.address}: the dead-man time of {settings.dead_man_ms} ms is "
                f"shorter than the {slowest:.2g} s that the longest message takes; set at least "
                f"{int(1200 * slowest) + 1} ms, or use a faster line"
            )
        self._forget()
        pairs = settings.pairs()
        write = ";".join(["*RST", *(f":{header} {value}" for header, value in pairs)])
        query = ";".join([*(f":{header}?" for header, _ in pairs), ":SYST:ERR?"])
        *found, error = self.session.ask(f"{write}\n{query}").split(";")
        self.session.check(error, write)
        wanted = [value for _, value in pairs]
        if found != wanted:
            raise misread(self.session.address, write, ";".join(found), ";".join(wanted))
        self._pulser.limit = settings.pulse_limit
        self._settle_us = settings.settle_us
        self._phase_seconds = 1e-6 * (settings.settle_us + settings.acquire_us)

    def arm(self) -> None:
        """Allow outputs; connects the nodes.

        Raises:
            InstrumentError: refused, for example by the interlock.
        """
        self.session.tell(":ARM")

    def make_safe(self) -> None:
        """Everything off, whatever came before: a write, no query."""
        self._forget()
        self.session.send("\n:SAFE")
        self.lines_float = False

    def keep_alive(self) -> None:
        """Restart the dead-man timer during a pause."""
        self.session.numbers("*OPC?", 1)

    def isolate(self, isolated: bool) -> None:
        """Cut diodes, amplifiers and nudge sources off all nodes, or join them."""
        self.session.tell(f":ISOL {int(isolated)}")

    def float_lines(self, floating: bool) -> None:
        """Cut the input lines off for an external instrument, or ground them."""
        # If this fails half way, the lines are taken for another instrument's.
        self.lines_float = True
        self.session.tell(f":LIN {'FLO' if floating else 'GRO'}")
        self.lines_float = floating

    def set_dead_zone(self, codes: int) -> None:
        """Of the comparators, ADC codes; as ``BoardSettings.dead_zone``, at any time."""
        self.session.tell(f":COMP:DEAD {codes}")

    def set_settle_us(self, settle_us: int) -> None:
        """Time from applying a drive to tracking; as ``BoardSettings.settle_us``, at any time."""
        self.session.tell(f":TIM:SETT {settle_us}")
        self._phase_seconds += 1e-6 * (settle_us - self._settle_us)
        self._settle_us = settle_us

    def state(self) -> BoardState:
        """What it is doing, in its own words."""
        armed, isolated, floating, interlock = self.session.numbers(":STAT?", 4)
        return BoardState(bool(armed), isolated, bool(floating), bool(interlock))

    def close(self) -> None:
        """Make safe and end the session, whatever fails; may be called again."""
        if self._closed:
            return
        self._closed = True
        try:
            self.make_safe()
        finally:
            self.session.transport.close()

    # --- runs ---------------------------------------------------------------------------------

    @property
    def loaded(self) -> Codes | None:
        """Input codes of the last :meth:`run`, which :meth:`rerun` is about; None: none."""
        return self._loaded

    def run(
        self, phases: Sequence[Phase], input_codes: Codes, sets: Sequence[Codes] = ()
    ) -> RunReply:
        """Bring inputs, run all phases of every example, and remember the inputs.

        One exchange, or as few as the board's queue and messages allow.

        Args:
            phases: see :class:`~drivers.board.codec.Phase`.
            input_codes: (n, n_inputs).
            sets: (n, n_outputs) a nudge set that the phases name.

        Raises:
            UsageError: wrong shapes, or sets that no phase names.
            SafetyError: a code beyond the limits; nothing was applied.
            InstrumentError: refused, or aborted by the interlock.
            TransportError: no usable reply.
        """
        self._check_run(phases, len(input_codes), sets)
        if input_codes.ndim != 2 or input_codes.shape[1] != self.capability.n_inputs:
            raise UsageError(
                f"inputs need {self.capability.n_inputs} codes an example; got an array of shape "
                f"{input_codes.shape}"
            )
        self._forget()
        replies = []
        for part in self._chunks(len(input_codes), self.capability.n_inputs, len(sets)):
            self._tag = (self._tag + 1) % _TAGS
            pieces = [codes[part] for codes in sets]
            request = codec.load_request(self._tag, phases, input_codes[part], pieces)
            replies.append(self._exchange(request, phases, len(input_codes[part])))
        self._loaded = input_codes
        self._kept_tag = self._tag if len(replies) == 1 else None
        return _joined(replies)

    def rerun(
        self,
        phases: Sequence[Phase],
        sets: Sequence[Codes],
        rows: NDArray[np.integer] | None = None,
    ) -> RunReply:
        """Run phases of the inputs that :meth:`run` brought, without sending them again.

        Where that took several exchanges the board kept only the last inputs; then they are sent
        once more.

        Args:
            phases: as for :meth:`run`.
            sets: (n, n_outputs) a set.
            rows: (n,) of those inputs; None: all.

        Raises:
            UsageError: wrong shapes, or nothing was loaded since the board was last safe.
            HilError: as :meth:`run`.
        """
        loaded, tag = self._loaded, self._kept_tag
        if loaded is None:
            raise UsageError("no inputs were loaded since the board was last safe; run them first")
        if rows is None:
            rows = np.arange(len(loaded))
        if tag is None:
            reply = self.run(phases, loaded[rows], sets)
            self._loaded, self._kept_tag = loaded, None
            return reply
        self._check_run(phases, len(rows), sets)
        replies = []
        for part in self._chunks(len(rows), 1, len(sets)):
            pieces = [codes[part] for codes in sets]
            request = codec.keep_request(tag, phases, rows[part], pieces)
            replies.append(self._exchange(request, phases, len(rows[part])))
        return _joined(replies)

    # --- pulses -------------------------------------------------------------------------------

    def pulse(self, counts: NDArray[np.integer]) -> None:
        """Apply (n_devices,) signed pulses, each exactly once; one exchange if they fit.

        Raises:
            UsageError: wrong shape.
            SafetyError: more pulses for a device than the limit; nothing was applied.
            ProgramError: refused, aborted, or lost; says what was applied. Nothing is repeated.
            TransportError: the line is lost, and what was applied cannot be found out.
        """
        self._pulser.apply(counts)

    # --- inside -------------------------------------------------------------------------------

    def _identified(self, pattern: str) -> str:
        self.session.send("")  # ends what another client left unfinished
        self.session.transport.clear()
        found = self.session.ask("*IDN?")
        if not re.search(pattern, found):
            raise wrong_board(self.session.address, found, f"something like {pattern!r}")
        self.session.send("*CLS")
        return found

    def _asked_capability(self) -> Capability:
        reply = self.session.ask(":CAP?")
        n_arrays = Capability.n_arrays(reply)
        found = Capability.parsed(
            reply, [self.session.ask(f":CAP:ARR? {place}") for place in range(n_arrays)]
        )
        if found.protocol.split(".")[0] != PROTOCOL_MAJOR:
            raise wrong_board(
                self.session.address, f"protocol {found.protocol}", f"{PROTOCOL_MAJOR}.x"
            )
        return found

    def _forget(self) -> None:
        self._loaded = self._kept_tag = None

    def _check_run(self, phases: Sequence[Phase], n: int, sets: Sequence[Codes]) -> None:
        named = max((abs(phase.drive) for phase in phases), default=0)
        if not 1 <= len(phases) <= codec.MAX_PHASES or named != len(sets):
            raise UsageError(
                f"a run has 1 to {codec.MAX_PHASES} phases and as many nudge sets as they name; "
                f"got {len(phases)} phases that name {named} sets, and {len(sets)} sets"
            )
        n_outputs = self.capability.n_outputs
        if n == 0 or any(codes.shape != (n, n_outputs) for codes in sets):
            raise UsageError(
                f"a run of {n} examples needs nudge sets of shape ({n}, {n_outputs}), and at "
                f"least one example; got {[codes.shape for codes in sets]}"
            )
        if any(phase.compare for phase in phases) and not self.capability.has_comparators:
            raise UsageError("this board has no comparators; compare what was read instead")

    def _chunks(self, n: int, fields: int, n_sets: int) -> list[slice]:
        """Examples that a message can bring and the queue can hold."""
        width = 2 * (fields + n_sets * self.capability.n_outputs)
        room = (self.capability.message_bytes - MESSAGE_ROOM) // width
        most = max(1, min(self.capability.queue_length, room))
        return [slice(start, min(n, start + most)) for start in range(0, n, most)]

    def _exchange(self, request: bytes, phases: Sequence[Phase], n: int) -> RunReply:
        """One run of the present tag."""
        session, n_nodes = self.session, self.capability.n_nodes
        n_read = sum(phase.read for phase in phases)
        n_votes = self.capability.n_devices if any(phase.compare for phase in phases) else 0
        size = 2 * (n * (1 + n_read * n_nodes) + n_votes)
        seconds = session.allowed_seconds(len(request), size)
        seconds += n * len(phases) * self._phase_seconds
        payload = session.transport.exchange(request, Expect.BLOCK.within(seconds))
        reply = codec.run_reply(payload, self._tag, n, n_read, n_nodes, n_votes)
        if isinstance(reply, int):
            raise refused(session.address, ":RUN?", session.errors(), reply)
        if np.any(reply.status & codec.ABORTED):
            raise refused(session.address, ":RUN?", session.errors(), 110)
        return reply


def _joined(replies: list[RunReply]) -> RunReply:
    """The replies of all exchanges as one."""
    if len(replies) == 1:
        return replies[0]
    votes = [reply.votes for reply in replies if reply.votes is not None]
    return RunReply(
        np.concatenate([reply.status for reply in replies]),
        np.concatenate([reply.readings for reply in replies]),
        np.sum(votes, axis=0, dtype=np.int32) if votes else None,
    )
