"""An emulated Keithley 707B Switching Matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.emulated.switch_mainframe import N_SLOTS, SwitchMainframe
from drivers.emulated.tsp.clock import Clock
from drivers.emulated.tsp.switch_cards import CARDS, SwitchCard
from drivers.emulated.tsp.system import Identity

__all__ = ["EmulatedKeithley707B"]


class EmulatedKeithley707B(SwitchMainframe):
    """A 707B, by default with an 8 x 12 matrix card (7174A) in every slot: ``1A01`` to ``6H12``.

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
        serial: str = "4200001",
        on_change: Callable[[frozenset[str]], None] = lambda _: None,
        is_live: Callable[[str], bool] | None = None,
    ) -> None:
        if cards is None:
            cards = dict.fromkeys(range(1, N_SLOTS + 1), CARDS["7174A"])
        description = f"Keithley Instruments Switching Matrix Model 707B - {serial}"
        identity = Identity("707B", serial, "01.10h", description)
        super().__init__(clock, identity, cards, on_change, is_live)
