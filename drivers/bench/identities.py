"""Which ``*IDN?`` is expected of an instrument of the bench file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from drivers.bench.config import InstrumentConfig
from drivers.instruments.agilent34970a import Agilent34970A
from drivers.instruments.base import Identity
from drivers.instruments.keithley707b import Keithley707B
from drivers.instruments.keithley2400 import Keithley2400
from drivers.instruments.keithley2450 import Keithley2450
from drivers.instruments.keithley2600b import Keithley2600B
from drivers.instruments.keithley2750 import Keithley2750
from drivers.instruments.keithley3706a import Keithley3706A
from drivers.instruments.keithley6221 import Keithley6221
from drivers.instruments.keithleydaq6510 import KeithleyDaq6510
from drivers.instruments.keysightb2900 import KeysightB2900
from hil.errors import ConfigurationError

__all__ = ["DRIVERS", "parsed_identity", "pattern_of"]

DRIVERS: Mapping[str, type] = {
    "keithley2400": Keithley2400,
    "keithley2450": Keithley2450,
    "keithley2600b": Keithley2600B,
    "keysightb2900": KeysightB2900,
    "keithley6221": Keithley6221,
    "keithley707b": Keithley707B,
    "keithley3706a": Keithley3706A,
    "keithley2750": Keithley2750,
    "daq6510": KeithleyDaq6510,
    "agilent34970a": Agilent34970A,
}
"""Driver of each model; a board has its own kind of session."""

_BOARD = "SHBOARD"


def pattern_of(config: InstrumentConfig) -> str:
    """The regular expression in the bench file, or else that of the driver."""
    if config.idn is not None:
        return config.idn
    if config.model == "shboard":
        return _BOARD
    default = inspect.signature(DRIVERS[config.model]).parameters["idn_pattern"].default
    return str(default)


def parsed_identity(address: str, reply: str, serial: str | None) -> Identity:
    """The identity that a board told when its session began.

    Raises:
        ConfigurationError: another serial number than expected.
    """
    fields = [*(part.strip() for part in reply.split(",", 3)), "", "", "", ""]
    identity = Identity(*fields[:4])
    if serial not in (None, identity.serial):
        raise ConfigurationError(
            f"{address} is {reply!r}, but serial number {serial} is expected there. Correct the "
            "address or the serial number in the bench file; nothing was switched on",
            address=address,
            received=reply,
        )
    return identity
