"""Channel lists: ``"1A01, 1A03:1A05, slot2, my_pattern"``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from drivers.emulated.tsp.errors import TspError

__all__ = ["ChannelLists", "parameter_error"]

_PARAMETER_ERROR = 1115


def parameter_error(text: str) -> TspError:
    """What a switching mainframe says of a list it cannot use."""
    return TspError(_PARAMETER_ERROR, f"Parameter error: {text}")


class ChannelLists:
    """Reads lists for one mainframe.

    Args:
        channels: names by slot, lowest first.
        backplanes: names of backplane relays by slot.
        patterns: what a pattern's name stands for; may change.
        labels: channels by their label; may change.
    """

    def __init__(
        self,
        channels: Mapping[int, Sequence[str]],
        backplanes: Mapping[int, Sequence[str]],
        patterns: Mapping[str, Sequence[str]],
        labels: Mapping[str, str],
    ) -> None:
        self._channels = channels
        self._backplanes = backplanes
        self._patterns = patterns
        self._labels = labels
        self._slot_of = {
            name: slot for names in (channels, backplanes) for slot in names for name in names[slot]
        }

    def slot_of(self, name: str) -> int:
        """The slot of a channel or backplane relay."""
        return self._slot_of[name]

    def read(
        self,
        text: object,
        *,
        slots: bool = False,
        patterns: bool = True,
        backplanes: bool = True,
        empty: bool = False,
    ) -> list[str]:
        """Names in a list, in its order and without repeats.

        Args:
            text: the list.
            slots: whether ``slot2`` and ``allslots`` may be in it.
            patterns: whether channel patterns may be in it.
            backplanes: whether backplane relays may be in it; slots then stand for theirs too.
            empty: whether there may be nothing in it.

        Raises:
            TspError: 1115: it cannot be read, or names what is not there.
        """
        if text is None:
            raise TspError(-109)
        if isinstance(text, int | float) and not isinstance(text, bool):
            text = f"{text:.0f}"
        if not isinstance(text, str):
            raise TspError(-104)
        items = [item.strip() for item in re.split("[,;]", text)]
        if items == [""]:
            if empty:
                return []
            raise parameter_error("the channel list is empty")
        names: dict[str, None] = {}
        for item in items:
            names.update(dict.fromkeys(self._item(item, slots, patterns, backplanes)))
        return list(names)

    def _item(self, item: str, slots: bool, patterns: bool, backplanes: bool) -> Sequence[str]:
        if item in self._patterns:
            if not patterns:
                raise parameter_error(f"channel pattern {item} is not allowed here")
            return self._patterns[item]
        if item in self._labels:
            return [self._labels[item]]
        if item.lower() == "allslots" or re.fullmatch(r"slot\d+", item.lower()):
            return self._of_slots(item.lower(), slots, backplanes)
        first, colon, last = (part.strip().upper() for part in item.partition(":"))
        names = self._range(first, last) if colon else [self._known(first)]
        if not backplanes and any(name in self._backplanes_of(name) for name in names):
            raise parameter_error(f"backplane relay {item} is not allowed here")
        return names

    def _of_slots(self, item: str, allowed: bool, backplanes: bool) -> Sequence[str]:
        if not allowed:
            raise parameter_error(f"{item} is not allowed here")
        wanted = list(self._channels) if item == "allslots" else [int(item[4:])]
        names: list[str] = []
        for slot in wanted:
            if slot not in self._channels:
                raise parameter_error(f"slot {slot} is empty")
            names += self._channels[slot]
            names += self._backplanes[slot] if backplanes else ()
        return names

    def _known(self, name: str) -> str:
        if name not in self._slot_of:
            raise parameter_error(f"there is no channel {name}")
        return name

    def _backplanes_of(self, name: str) -> Sequence[str]:
        return self._backplanes[self._slot_of[name]]

    def _range(self, first: str, last: str) -> Sequence[str]:
        slot = self.slot_of(self._known(first))
        if self.slot_of(self._known(last)) != slot:
            raise parameter_error(f"{first}:{last} spans two slots")
        for names in (self._channels[slot], self._backplanes[slot]):
            if first in names and last in names:
                begin, end = names.index(first), names.index(last)
                if begin > end:
                    raise parameter_error(f"{first}:{last} begins with the higher channel")
                return names[begin : end + 1]
        raise parameter_error(f"{first}:{last} mixes channels and backplane relays")
