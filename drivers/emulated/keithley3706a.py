"""An emulated Keithley 3706A System Switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.emulated.switch_mainframe import N_SLOTS, SwitchMainframe
from drivers.emulated.tsp.clock import Clock
from drivers.emulated.tsp.switch_cards import CARDS, SwitchCard
from drivers.emulated.tsp.system import Identity

__all__ = ["EmulatedKeithley3706A"]


class EmulatedKeithley3706A(SwitchMainframe):
    """A 3706A, by default with a 6 x 16 matrix card (3730) in every slot: ``1101`` to ``6616``.

    Args:
        clock: the world's time.
        cards: by slot number, 1 to 6; None: the default.
        serial: serial number in ``*IDN?``.
        on_change: see :class:`SwitchMainframe`.
        is_live: see :class:`SwitchMainframe`.
    """

    def __init__(
        self,
        clock: Clock,
        cards: Mapping[int, SwitchCard] | None = None,
        serial: str = "4300001",
        on_change: Callable[[frozenset[str]], None] = lambda _: None,
        is_live: Callable[[str], bool] | None = None,
    ) -> None:
        if cards is None:
            cards = dict.fromkeys(range(1, N_SLOTS + 1), CARDS["3730"])
        description = f"Keithley Instruments System Switch Model 3706A - {serial}"
        identity = Identity("3706A", serial, "01.56d", description)
        super().__init__(clock, identity, cards, on_change, is_live)
