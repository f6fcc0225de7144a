"""Every error this project raises on purpose, in one small tree.

::

    HilError
    ├── ConfigurationError      a file, option or data set that cannot be used as given
    │   └── DataError           a data file is missing, malformed or out of range
    ├── UsageError              the API was called in a way that cannot work (shapes, order)
    ├── RunFolderError          the run folder is missing, taken, or does not match
    └── SubstrateError          the substrate refused or failed
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
    "ProgramError",
    "RunFolderError",
    "SafetyError",
    "SettleError",
    "SubstrateError",
    "UsageError",
]


class HilError(Exception):
    """Root of the tree; the CLI turns any of these into one message and exit code 2."""

    def __init__(self, message: str, **evidence: Any) -> None:
        super().__init__(message)
        self.message = message
        self.evidence = evidence


class ConfigurationError(HilError):
    """A configuration, option or combination of them cannot be used."""


class DataError(ConfigurationError):
    """A data set is missing, malformed, truncated or out of range."""


class UsageError(HilError):
    """The API was called with arguments that cannot work, such as a wrong shape."""


class RunFolderError(HilError):
    """A run folder is missing, already taken, or belongs to another run."""


class SubstrateError(HilError):
    """A substrate refused or failed."""


class SettleError(SubstrateError):
    """No steady state could be computed or measured for the whole batch."""


class ProgramError(SubstrateError):
    """Devices could not be programmed."""


class SafetyError(SubstrateError):
    """A request would leave the substrate's limits; it was refused and is never retried."""


class ClosedError(SubstrateError):
    """The substrate was closed; build a new one."""
