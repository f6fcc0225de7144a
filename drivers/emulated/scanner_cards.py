"""Multiplexer cards of scanning voltmeters: their channels, and relays that take time to move."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.world import Channel, Open, Stance, World

__all__ = ["CARD_7700", "CARD_34901A", "Card", "Multiplexer", "compressed", "expanded"]

_PART = re.compile(r"\s*(?:(\d{1,6})\s*(?::\s*(\d{1,6})\s*)?|SLOT(\d)\s*)\Z", re.IGNORECASE)
_LIST = re.compile(r"\(\s*@([\w,:\s]*)\)\Z")


@dataclass(frozen=True, slots=True)
class Card:
    """A plug-in card; relays are numbered within the card.

    Attributes:
        model, title: as identity queries say them.
        n_volts_channels: channels 1 to this measure voltage.
        amps_channels: channels that measure current.
        other_relays: relays that are no measurement channels (pairing, backplane isolation).
        input_relay: of those, the one between the channels and the meter; None: always closed.
        relay_seconds: time in which a relay opens or closes and settles.
        largest_volts: what the card stands.
    """

    model: str
    title: str
    n_volts_channels: int
    amps_channels: tuple[int, ...]
    other_relays: tuple[int, ...]
    input_relay: int | None
    relay_seconds: float
    largest_volts: float

    @property
    def measurement_channels(self) -> tuple[int, ...]:
        """All channels that lead to the meter."""
        return (*range(1, self.n_volts_channels + 1), *self.amps_channels)

    @property
    def relays(self) -> tuple[int, ...]:
        """All relays."""
        return (*self.measurement_channels, *self.other_relays)


# Model 7700 data sheet: 20 channels, 2 of amps; 23 pairs banks, 24 and 25 isolate the backplane.
CARD_7700 = Card("7700", "20Ch Mux w/CJC", 20, (21, 22), (23, 24, 25), 25, 3e-3, 300.0)
CARD_34901A = Card("34901A", "20-channel armature multiplexer", 20, (21, 22), (), None, 4e-3, 300.0)


class Multiplexer:
    """The cards of a mainframe, each relay a number: hundreds for the slot.

    Opening comes before closing, so that no two channels are connected through the bus.

    Args:
        cards: by slot.
        world: whose time passes while relays move.
        prefix: of the channels' names.
        on_change: called with all closed relays, ``{"101", "125"}``, after each movement: for a
            world in which they are switches. Without it a world sees the meter on each channel
            that leads to it, but not that channels closed together are joined.

    Attributes:
        channels: measurement channels by number.
        counts: closures of each relay so far.
    """

    def __init__(
        self,
        cards: Mapping[int, Card],
        world: World,
        prefix: str = "",
        on_change: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        self.cards = dict(cards)
        self._world = world
        self._on_change = on_change
        self._relays = {100 * slot + n: card for slot, card in cards.items() for n in card.relays}
        self.channels = {
            100 * slot + n: Channel(f"{prefix}{100 * slot + n}")
            for slot, card in cards.items()
            for n in card.measurement_channels
        }
        self._closed: dict[int, None] = {}
        self._attached: set[int] = set()
        self.counts = dict.fromkeys(self._relays, 0)

    @property
    def closed(self) -> list[int]:
        """Closed relays in ascending order."""
        return sorted(self._closed)

    @property
    def closed_channels(self) -> list[int]:
        """Closed measurement channels in ascending order."""
        return [number for number in self.closed if number in self.channels]

    def exists(self, number: int) -> bool:
        """Whether there is such a relay."""
        return number in self._relays

    def is_closed(self, number: int) -> bool:
        """Whether a relay is closed."""
        return number in self._closed

    def measures_volts(self, number: int) -> bool:
        """Whether a channel is one for voltages."""
        slot, channel = divmod(number, 100)
        return slot in self.cards and 1 <= channel <= self.cards[slot].n_volts_channels

    def input_relay(self, number: int) -> int | None:
        """The relay that connects a channel's card to the meter."""
        relay = self._relays[number].input_relay
        return None if relay is None else number // 100 * 100 + relay

    def to_meter(self) -> list[int]:
        """Closed measurement channels that the meter is connected to."""
        relays = ((number, self.input_relay(number)) for number in self.closed_channels)
        return [n for n, relay in relays if relay is None or relay in self._closed]

    def move(self, opening: Iterable[int], closing: Iterable[int]) -> None:
        """Open some relays, then close others; those already there stay."""
        closing = list(closing)
        opened = [n for n in opening if n in self._closed and n not in closing]
        for number in opened:
            del self._closed[number]
            if number in self.channels:
                self.channels[number].stance = Open()
        self._moved(opened)
        made = [n for n in dict.fromkeys(closing) if n not in self._closed]
        self._closed.update(dict.fromkeys(made))
        for number in made:
            self.counts[number] += 1
        self._moved(made)

    def only(self, number: int) -> None:
        """Close one channel to the meter and open every other relay."""
        relay = self.input_relay(number)
        wanted = [number] if relay is None else [relay, number]
        self.move(self.closed, wanted)

    def open_all(self) -> None:
        """Open every relay."""
        self.move(self.closed, ())

    def attach(self, numbers: Iterable[int], stance: Stance) -> None:
        """Put the meter's stance on some channels and take it off all others."""
        wanted = set(numbers)
        for number in self._attached - wanted:
            self.channels[number].stance = Open()
        self._attached = wanted & self.channels.keys()
        for number in self._attached:
            self.channels[number].stance = stance

    def _moved(self, numbers: list[int]) -> None:
        if not numbers:
            return
        if self._on_change is not None:
            self._on_change(frozenset(map(str, self._closed)))
        self._world.elapse(max(self._relays[number].relay_seconds for number in numbers))


def expanded(text: str, mux: Multiplexer, unknown: Callable[[int], ScpiError]) -> list[int]:
    """``(@101:110,205)`` as numbers in the order written.

    A range skips numbers that do not exist between two that do; ``SLOT1`` stands for a card's
    measurement channels.

    Args:
        text: the parameter.
        mux: what channels there are.
        unknown: the error for a number that is not one of them.

    Raises:
        ScpiError: -104 or -171 for what is no channel list, or ``unknown``.
    """
    if not text.startswith("("):
        raise ScpiError(-104)
    inner = _LIST.match(text)
    if inner is None:
        raise ScpiError(-171)
    numbers: list[int] = []
    for part in inner[1].split(",") if inner[1].strip() else []:
        found = _PART.match(part)
        if found is None:
            raise ScpiError(-171)
        if found[3]:
            slot = int(found[3])
            if slot not in mux.cards:
                raise unknown(100 * slot)
            numbers += [100 * slot + n for n in mux.cards[slot].measurement_channels]
            continue
        first, last = int(found[1]), int(found[2] or found[1])
        for end in (first, last):
            if not mux.exists(end):
                raise unknown(end)
        step = 1 if last >= first else -1
        numbers += [n for n in range(first, last + step, step) if mux.exists(n)]
    return numbers


def compressed(numbers: Iterable[int]) -> str:
    """Numbers as a channel list, ``(@101:110,205)``: runs that ascend by one as a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}:{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"(@{','.join(parts)})"
