"""Switch cards and the names of their channels.

Names, from the manuals of the 707B (707B-901-01) and the 3700A (3700AS-901-01), "Channel
identification": slot, row and two digits of column for a matrix (``1A05``, ``1105``), slot and
three digits for a multiplexer or a card of isolated relays (``1005``), slot, 9, bank and number for
an analog backplane relay (``1911``).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CARDS", "SwitchCard"]


@dataclass(frozen=True, slots=True)
class SwitchCard:
    """One kind of card.

    Attributes:
        model: such as ``3730``.
        description: as ``slot[n].idn`` gives it.
        rows: names of the rows of a matrix; none: a multiplexer, or isolated relays.
        columns: of a matrix, or channels of another card.
        backplanes: names of its analog backplane relays, without the slot.
        relay_seconds: time a relay takes to operate and settle.
        volts: the most its channels stand.
        isolated: whether each channel is a relay of its own, with nothing in common.
    """

    model: str
    description: str
    rows: str
    columns: int
    backplanes: tuple[str, ...]
    relay_seconds: float
    volts: float
    isolated: bool = False

    @property
    def kind(self) -> str:
        """What scripts call the card: ``matrix``, ``multiplexer`` or ``isolated``."""
        if self.rows:
            return "matrix"
        return "isolated" if self.isolated else "multiplexer"

    def channels(self, slot: int) -> list[str]:
        """Names of the card's channels in a slot, lowest first."""
        if not self.rows:
            return [f"{slot}{column:03d}" for column in range(1, self.columns + 1)]
        columns = range(1, self.columns + 1)
        return [f"{slot}{row}{column:02d}" for row in self.rows for column in columns]

    def backplane_relays(self, slot: int) -> list[str]:
        """Names of the card's analog backplane relays in a slot."""
        return [f"{slot}{name}" for name in self.backplanes]


_ONE_BANK = tuple(f"91{n}" for n in range(1, 7))
_TWO_BANKS = (*_ONE_BANK, *(f"92{n}" for n in range(1, 7)))
_REED_SECONDS = 4e-3
_ARMATURE_SECONDS = 4e-3

CARDS = {
    card.model: card
    for card in (
        SwitchCard("7072", "8x12 Semiconductor Matrix", "ABCDEFGH", 12, (), _REED_SECONDS, 200),
        SwitchCard("7174A", "8x12 Low Current Matrix", "ABCDEFGH", 12, (), _REED_SECONDS, 200),
        SwitchCard("3730", "6x16 High Density Matrix", "123456", 16, _ONE_BANK, _REED_SECONDS, 300),
        SwitchCard("3720", "Dual 1x30 Multiplexer", "", 60, _TWO_BANKS, _REED_SECONDS, 300),
        SwitchCard("3722", "Dual 1x48 Multiplexer", "", 96, _TWO_BANKS, _REED_SECONDS, 300),
        # 28 form C and 4 form A, of which only the normally open contacts are modelled; the time
        # and the text are from memory, not from a data sheet.
        SwitchCard(
            "3740", "32-Channel Isolated Switch", "", 32, (), _ARMATURE_SECONDS, 300, isolated=True
        ),
    )
}
