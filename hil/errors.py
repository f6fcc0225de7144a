"""Every error this project raises on purpose, in one small tree.

::

    HilError
    ├── ConfigurationError      a file, option or data set that cannot be used as given
    │   └── DataError           a data file is missing, malformed or out of range
    ├── UsageError              the API was called in a way that cannot work (shapes, order)
    ├── RunFolderError          the run folder is missing, taken, or does not match
    ├── TransportError          a message could not be exchanged with an instrument
    │   ├── TransportTimeoutError   no reply, or a part of one, within the time allowed
    │   └── ProtocolError           a reply that cannot be what was asked for
    └── SubstrateError          the substrate refused or failed
        ├── InstrumentError     an instrument reported errors of its own
        ├── SettleError         a state could not be settled or evaluated at all
        ├── ProgramError        devices could not be programmed
        ├── SafetyError         a request would leave the stated limits; never retried
        └── ClosedError         the substrate was closed or made safe before

A message says what happened, the likely cause and the remedy; the evidence (a path, a
value, a residual) is kept in ``evidence`` for programs to read.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ClosedError",
    "ConfigurationError",
    "DataError",
    "HilError",
    "InstrumentError",
    "ProgramError",
    "ProtocolError",
    "RunFolderError",
    "SafetyError",
    "SettleError",
    "SubstrateError",
    "TransportError",
    "TransportTimeoutError",
    "UsageError",
]


class HilError(Exception):
    """Root of the tree; the CLI turns any of these into one message and exit code 2."""

    def __init__(self, message: str, **evidence: Any) -> None:
        super().__init__(message)
        self.message = message
        self.evidence = evidence

    def say(self, message: str) -> None:
        """Replace the message by one that says more."""
        self.message = message
        self.args = (message,)


class ConfigurationError(HilError):
    """A configuration, option or combination of them cannot be used."""


class DataError(ConfigurationError):
    """A data set is missing, malformed, truncated or out of range."""


class UsageError(HilError):
    """The API was called with arguments that cannot work, such as a wrong shape."""


class RunFolderError(HilError):
    """A run folder is missing, already taken, or belongs to another run."""


class TransportError(HilError):
    """A message could not be exchanged; carries address, sent and received."""


class TransportTimeoutError(TransportError):
    """No reply, or a part of one, came within the time allowed."""


class ProtocolError(TransportError):
    """A reply came that cannot be an answer to what was sent."""


class SubstrateError(HilError):
    """A substrate refused or failed."""


class InstrumentError(SubstrateError):
    """An instrument's own error queue was not empty."""


class SettleError(SubstrateError):
    """No steady state could be computed or measured for the whole batch."""


class ProgramError(SubstrateError):
    """Devices could not be programmed."""


class SafetyError(SubstrateError):
    """A request would leave the substrate's limits; it was refused and is never retried."""


class ClosedError(SubstrateError):
    """The substrate was closed; build a new one."""
