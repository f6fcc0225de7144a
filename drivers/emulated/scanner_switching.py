"""What messages do with the relays of a scanner, and what they ask of its cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from drivers.emulated.scanner_cards import Card, Multiplexer
from drivers.emulated.scpi.commands import Command, Parameters, always
from drivers.emulated.scpi.errors import ScpiError

__all__ = ["Switching", "card_commands", "connected_volts"]


class Switching:
    """Moves relays as channel lists say, and tells how they are; the meter follows.

    Args:
        mux: the relays.
        channels: turns the text of a channel list into numbers.
        attach: puts the meter on what is connected to it.
    """

    def __init__(
        self,
        mux: Multiplexer,
        channels: Callable[[str], list[int]],
        attach: Callable[[], None],
    ) -> None:
        self._mux = mux
        self._channels = channels
        self._attach = attach

    def close_also(self, parameters: Parameters) -> None:
        """Close relays and leave the others as they are."""
        self._mux.move((), self._channels(parameters.text()))
        self._attach()

    def open_only(self, parameters: Parameters) -> None:
        """Open relays and leave the others as they are."""
        self._mux.move(self._channels(parameters.text()), ())
        self._attach()

    def open_all(self) -> None:
        """Open every relay."""
        self._mux.open_all()
        self._attach()

    def states(self, parameters: Parameters) -> str:
        """1 for each closed relay of a list, 0 for each open one."""
        numbers = self._channels(parameters.text())
        return ",".join(str(int(self._mux.is_closed(number))) for number in numbers)

    def counts(self, parameters: Parameters) -> str:
        """How often each relay of a list has closed."""
        numbers = self._channels(parameters.text())
        return ",".join(str(self._mux.counts[number]) for number in numbers)

    def measurable(self, text: str) -> list[int]:
        """The numbers of a channel list that only measurement channels may be in.

        Raises:
            ScpiError: -222 for another relay.
        """
        numbers = self._channels(text)
        if any(number not in self._mux.channels for number in numbers):
            raise ScpiError(-222)
        return numbers


def connected_volts(mux: Multiplexer) -> list[int]:
    """Voltage channels that the meter is connected to, in ascending order."""
    return [number for number in mux.to_meter() if mux.measures_volts(number)]


def card_commands(
    slot: int, card: Card, before_first: int, own: Mapping[str, str]
) -> Iterator[Command]:
    """``SYSTem:CARD<n>`` of a slot with a card in it.

    Args:
        slot: its number.
        card: what is in it.
        before_first: what is added to the card's numbers of channels in answers.
        own: answers that only this instrument gives, by header.
    """
    amps = card.amps_channels or (0,)
    answers = {
        **own,
        "VMAX": f"{card.largest_volts:.0f}",
        "MUX": "1",
        "ISOLated": "0",
        "TCOMpensated": "1",
        "VCHannel[:STARt]": str(before_first + 1),
        "VCHannel:END": str(before_first + card.n_volts_channels),
        "ACHannel[:STARt]": str(before_first + amps[0]),
        "ACHannel:END": str(before_first + amps[-1]),
    }
    for header, answer in answers.items():
        yield Command(f":SYSTem:CARD{slot}:{header}", query=always(answer))
