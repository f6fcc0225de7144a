"""Relays and analog switches between the nets of a world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Switches"]


@dataclass(frozen=True)
class Switches:
    """The contacts of one instrument: crosspoints of a matrix, channels of a scanner.

    A matrix is rows and columns that are nets, and a contact from each to each; a multiplexer
    is contacts from one net, or one pair of them, to many.

    Attributes:
        name: of the instrument.
        contacts: what each channel joins when it is closed: pairs of nets, one per pole. Channels
            that are not named here lead nowhere.
        on_ohms: of a closed contact; 0 joins both nets to one.
    """

    name: str
    contacts: Mapping[str, Sequence[tuple[str, str]]]
    on_ohms: float = 0.0

    @classmethod
    def matrix(
        cls,
        name: str,
        crosspoints: Mapping[str, tuple[str, str]],
        on_ohms: float = 0.0,
    ) -> Switches:
        """Contacts with a single pole each.

        Args:
            name: of the instrument.
            crosspoints: by name, the row's and the column's net.
            on_ohms: of a closed contact.
        """
        return cls(name, {key: (pair,) for key, pair in crosspoints.items()}, on_ohms)
