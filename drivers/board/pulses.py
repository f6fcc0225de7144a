"""Programming pulses, each applied exactly once or reported as not applied."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivers.board import codec
from drivers.board.faults import pulses_failed
from drivers.board.session import MESSAGE_ROOM, Session
from drivers.transport.interface import Expect
from hil.errors import SafetyError, TransportError, UsageError

__all__ = ["Pulser"]


class Pulser:
    """Sends pulses in numbered blocks; a lost reply is resolved by asking, never by repeating.

    Args:
        session: with the board.
        n_devices: of the board.
        message_bytes: longest message of the board.
    """

    def __init__(self, session: Session, n_devices: int, message_bytes: int) -> None:
        self._session = session
        self._n_devices = n_devices
        self._most = message_bytes - MESSAGE_ROOM
        self._sequence = self._last()[0]
        self.limit = 0
        """Most pulses a device and exchange, as the board was told."""

    def apply(self, counts: NDArray[np.integer]) -> None:
        """See :meth:`drivers.board.driver.Board.pulse`."""
        if counts.shape != (self._n_devices,):
            raise UsageError(
                f"pulses are counted for {self._n_devices} devices, one number each; got an array "
                f"of shape {counts.shape}"
            )
        most = max(int(counts.max()), -int(counts.min()))
        if most > self.limit:
            raise SafetyError(
                f"{most} pulses for a device are asked for, the limit is {self.limit} an exchange; "
                "nothing was applied. Ask for fewer, or raise the limit",
                extreme=most,
                limit=self.limit,
            )
        for first in range(0, counts.size, self._most):
            part = counts[first : first + self._most].astype(np.int8)
            if part.any():
                self._exchange(first, part)

    def _exchange(self, first: int, counts: NDArray[np.int8]) -> None:
        session, sequence = self._session, self._sequence + 1
        wanted = int(np.abs(counts.astype(np.int32)).sum())
        request = codec.pulse_request(sequence, first, counts)
        seconds = session.allowed_seconds(len(request), 32)
        try:
            line = session.transport.exchange(request, Expect.LINE.within(seconds))
            reply = codec.pulse_reply(line)
        except TransportError as error:
            session.recover()
            last, applied = self._last()
            self._conclude(sequence, wanted, last, applied, error)
        else:
            self._conclude(sequence, wanted, reply.sequence, reply.applied, None)

    def _conclude(
        self, sequence: int, wanted: int, last: int, applied: int, lost: TransportError | None
    ) -> None:
        """Take note of what the board says it applied.

        Raises:
            ProgramError: not what was asked for.
        """
        if last == sequence:
            self._sequence = sequence
            if applied == wanted:
                return
        raise pulses_failed(
            self._session.address, sequence, wanted, last, applied, self._session.errors(), lost
        ) from lost

    def _last(self) -> tuple[int, int]:
        """Sequence number last accepted, and pulses applied then."""
        sequence, _, applied = self._session.numbers(":PULS:LAST?", 3)
        return sequence, applied
