"""What every substrate must do, as one reusable check.

:func:`check_substrate` puts any substrate (simulated, on a bench, calibrated, replaying)
through a list of clauses.  It uses only the public interface and what the spec states:
voltages are compared within the stated settling tolerance and noise, conductances within the
rounding of the type they are read in and the stated error of a reading.  Abilities that a
substrate does not have are not asked for.  Kirchhoff's laws are left to checks that know the
circuit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hil.contract import abilities, drops, exchanges, lifecycle, programming, pulses, settling
from hil.contract.case import Case
from hil.substrate import Substrate

__all__ = ["check_substrate"]

_CLAUSES: tuple[Callable[[Case], None], ...] = (
    *settling.CLAUSES,
    *exchanges.CLAUSES,
    *pulses.CLAUSES,
    *abilities.CLAUSES,
    *programming.CLAUSES,
    *drops.CLAUSES,
    *lifecycle.CLAUSES,
)


def check_substrate(
    factory: Callable[[], Substrate], rng: np.random.Generator | None = None
) -> None:
    """Check that what ``factory`` makes honours the substrate contract.

    Each clause gets a substrate of its own, which is closed before the next one is made.
    Devices are programmed to the ends of their window.  Inputs reach the stated limit, and
    nudges move an output by up to about half of that.

    Args:
        factory: makes a substrate; its start conductances must leave no node floating.
        rng: draws drives and programming; a fixed seed if omitted, so that a recording of
            one check answers the next.

    Raises:
        AssertionError: a clause is violated; the message names it.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    for clause in _CLAUSES:
        title = (clause.__doc__ or "").strip().rstrip(".")
        substrate = factory()
        try:
            try:
                clause(Case(substrate, rng))
            finally:
                substrate.close()
        except AssertionError as error:
            raise AssertionError(f"clause {title!r}: {error}") from error
        except Exception as error:
            message = f"clause {title!r}: unexpected {type(error).__name__}: {error}"
            raise AssertionError(message) from error
