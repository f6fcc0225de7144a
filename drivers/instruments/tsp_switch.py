"""Switching mainframes that speak TSP: which relays are closed, and nothing else.

Sources: Models 707B and 708B Reference Manual, 707B-901-01; Series 3700A Reference Manual,
3700AS-901-01. Relays that move under voltage or current can weld: whoever calls this brings the
sources to zero first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from enum import IntEnum

from drivers.instruments import tsp
from drivers.instruments.base import Identity, attempt_all, identify, tell
from drivers.instruments.tsp import Setting
from drivers.transport.interface import Transport
from hil.errors import InstrumentError, UsageError

__all__ = ["ConnectRule", "TspSwitch"]

OPEN_ALL = "channel.open('allslots')"
CLOSED = "channel.getclose('allslots')"


class ConnectRule(IntEnum):
    """In which order relays move when some open and others close."""

    TOGETHER = 0
    BREAK_BEFORE_MAKE = 1
    MAKE_BEFORE_BREAK = 2


class TspSwitch:
    """A mainframe; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        idn_pattern: regular expression its identity must match.
        name_pattern: regular expression of a channel's name.
        serial: its serial number, if it is to be checked.
    """

    def __init__(
        self,
        transport: Transport,
        idn_pattern: str,
        name_pattern: str,
        serial: str | None = None,
    ) -> None:
        self._transport = transport
        self._idn_pattern = idn_pattern
        self._name = re.compile(name_pattern)
        self._serial = serial

    def prepare(
        self,
        rule: ConnectRule = ConnectRule.BREAK_BEFORE_MAKE,
        forbidden: Collection[str] = (),
    ) -> Identity:
        """Check the identity, open everything, set the connect rule and what may never close.

        Raises:
            ConfigurationError: another instrument.
            InstrumentError: a setting was refused.
            UsageError: a name is no channel's.
        """
        names = self._listed(forbidden)
        identity = identify(self._transport, self._idn_pattern, self._serial)
        tell(self._transport, "abort")
        tell(self._transport, f"{OPEN_ALL} reset() errorqueue.clear()")
        settings = [Setting("channel.connectrule", float(rule))]
        settings.append(Setting("channel.connectsequential", 0.0))
        tsp.apply(self._transport, "being set up", settings)
        if forbidden:
            command = f"channel.setforbidden('{names}')"
            tsp.run(self._transport, "channels were forbidden", command, [])
        return identity

    def close_exactly(self, names: Collection[str]) -> None:
        """Close these channels and open all others, and read back that it is so.

        Args:
            names: such as ``1A05`` or ``1105``; none: open everything.

        Raises:
            UsageError: a name is no channel's; nothing was sent.
            InstrumentError: refused, or other channels are closed than asked for.
        """
        command = f"channel.exclusiveclose('{self._listed(names)}')"
        (reply,) = tsp.run(self._transport, "channels were closed", command, [CLOSED])
        closed = _parsed(reply)
        if closed != frozenset(names):
            raise InstrumentError(
                f"{self._transport.address}: {', '.join(sorted(closed)) or 'nothing'} is closed "
                f"where {', '.join(sorted(names)) or 'nothing'} was asked for. Open all channels; "
                "channel patterns or backplane settings of earlier use may be left: reset it",
                address=self._transport.address,
                wanted=sorted(names),
                closed=sorted(closed),
            )

    def open_all(self) -> None:
        """Open every channel, and read back that it is so.

        Raises:
            InstrumentError: something is still closed.
        """
        self.close_exactly(())

    def closed(self) -> frozenset[str]:
        """Names of all channels that are closed now."""
        (reply,) = tsp.run(self._transport, "closed channels were asked for", "", [CLOSED])
        return _parsed(reply)

    def make_safe(self) -> None:
        """Open every channel: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; channels may be closed.
        """
        self.leave(())

    def leave(self, names: Collection[str]) -> None:
        """Open every channel, then close these: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; other channels may be closed.
        """
        steps: list[tuple[str, Callable[[], object]]] = [
            ("clear", self._transport.clear),
            ("abort", lambda: tell(self._transport, "abort")),
            (OPEN_ALL, lambda: tell(self._transport, OPEN_ALL)),
        ]
        if names:
            steps.append(("channel.close", lambda: self._tell_to_close(names)))
        attempt_all(self._transport.address, steps)

    def _tell_to_close(self, names: Collection[str]) -> None:
        tell(self._transport, f"channel.close('{self._listed(names)}')")

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        tsp.check_errors(self._transport, "it was last used")

    def _listed(self, names: Collection[str]) -> str:
        for name in names:
            if not self._name.fullmatch(name):
                raise UsageError(
                    f"{self._transport.address}: {name!r} is no channel; names look like "
                    f"/{self._name.pattern}/. Nothing was sent: correct the wiring"
                )
        return ",".join(sorted(names))


def _parsed(reply: str) -> frozenset[str]:
    """``1A01;1A02``, or ``nil`` for none; a 4-pole channel's partner is in parentheses."""
    if reply == "nil":
        return frozenset()
    return frozenset(name.partition("(")[0] for name in reply.split(";"))
