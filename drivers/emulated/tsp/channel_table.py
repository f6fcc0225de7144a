"""``channel.*`` of a switching mainframe.

Sources: Models 707B and 708B Reference Manual, 707B-901-01; Series 3700A Reference Manual,
3700AS-901-01 Rev. D, section 11. An error leaves everything as it was and answers nil.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from drivers.emulated.tsp.channel_lists import ChannelLists, parameter_error
from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.objects import TspTable, number
from drivers.emulated.tsp.switch_cards import SwitchCard
from drivers.emulated.tsp.switching import BREAK_FIRST, MAKE_FIRST, TOGETHER, Relays

__all__ = ["ChannelTable"]

_FORBIDDEN = 1114
_LONGEST_NAME = 19
_LONGEST_DELAY_SECONDS = 60.0
_POLES = (1.0, 2.0, 4.0)


class ChannelTable:
    """What scripts do with channels.

    Args:
        cards: by slot number.
        relays: what they move.

    Attributes:
        table: ``channel``.
    """

    def __init__(self, cards: dict[int, SwitchCard], relays: Relays) -> None:
        self._relays = relays
        channels = {slot: card.channels(slot) for slot, card in cards.items()}
        backplanes = {slot: card.backplane_relays(slot) for slot, card in cards.items()}
        self._patterns: dict[str, list[str]] = {}
        self._labels: dict[str, str] = {}
        self._lists = ChannelLists(channels, backplanes, self._patterns, self._labels)
        self._relays_of_channel: dict[str, list[str]] = {}
        self._forbidden: set[str] = set()
        self._poles: dict[str, float] = {}
        self.table = TspTable()
        self._declare()

    def reset(self) -> None:
        """``reset()``: everything open, nothing forbidden, no patterns."""
        self._relays.change(self._relays.closed, ())
        self.table.reset()
        self._changed("connectrule")
        self._forget(self._relays.names)
        self._patterns.clear()

    # -- moving relays

    def _close(self, text: Any) -> None:
        self._relays.change((), self._closable(self._lists.read(text)))

    def _open(self, text: Any) -> None:
        self._relays.change(self._with_backplanes(self._lists.read(text, slots=True)), ())

    def _exclusive_close(self, text: Any) -> None:
        wanted = self._closable(self._lists.read(text, empty=True))
        self._relays.change(self._relays.closed - set(wanted), wanted)

    def _exclusive_slot_close(self, text: Any) -> None:
        wanted = self._closable(self._lists.read(text))
        slots = {self._lists.slot_of(name) for name in wanted}
        others = {name for name in self._relays.closed if self._lists.slot_of(name) in slots}
        self._relays.change(others - set(wanted), wanted)

    def _closable(self, names: list[str]) -> list[str]:
        names = self._with_backplanes(names)
        forbidden = [name for name in names if name in self._forbidden]
        if forbidden:
            raise TspError(
                _FORBIDDEN, f"Settings conflict error: {', '.join(forbidden)} forbidden to close"
            )
        return names

    def _with_backplanes(self, names: list[str]) -> list[str]:
        """Channels and the backplane relays that ``setbackplane`` gave them."""
        extra = [relay for name in names for relay in self._relays_of_channel.get(name, ())]
        return list(dict.fromkeys([*names, *extra]))

    # -- asking

    def _get_close(self, text: Any) -> str | None:
        wanted = set(self._lists.read(text, slots=True))
        return ";".join(self._relays.ordered(wanted & self._relays.closed)) or None

    def _get_state(self, text: Any, *_: Any) -> str:
        closed = self._relays.closed
        return self._each(text, lambda name: "1" if name in closed else "0")

    def _get_forbidden(self, text: Any) -> str | None:
        wanted = set(self._lists.read(text, slots=True, patterns=False))
        return ",".join(self._relays.ordered(wanted & self._forbidden)) or None

    def _get_image(self, text: Any) -> str:
        names = self._lists.read(text, slots=True, patterns=False)
        return ";".join(",".join(self._with_backplanes([name])) for name in names)

    def _each(self, text: Any, say: Callable[[str], str], joint: str = ",") -> str:
        return joint.join(say(name) for name in self._lists.read(text, slots=True))

    # -- settings of channels

    def _read_all(self, text: Any) -> list[str]:
        return self._lists.read(text, slots=True, patterns=False)

    def _set_delay(self, text: Any, seconds: Any) -> None:
        delay = number(seconds)
        if not 0 <= delay <= _LONGEST_DELAY_SECONDS:
            raise TspError(1102 if delay < 0 else 1101)
        names = self._lists.read(text, slots=True, patterns=False, backplanes=False)
        self._relays.delays.update(dict.fromkeys(names, delay))

    def _set_pole(self, text: Any, poles: Any) -> None:
        if number(poles) not in _POLES:
            raise parameter_error("poles")
        for name in self._lists.read(text, slots=True, patterns=False, backplanes=False):
            self._poles[name] = number(poles)

    def _set_backplane(self, text: Any, relays: Any) -> None:
        names = self._lists.read(text, slots=True, patterns=False, backplanes=False)
        wanted = self._lists.read(relays, patterns=False, empty=True)
        for name in names:
            self._relays_of_channel[name] = wanted

    def _get_backplane(self, text: Any) -> str:
        names = self._lists.read(text, slots=True, patterns=False, backplanes=False)
        return ";".join(",".join(self._relays_of_channel.get(name, ())) for name in names)

    def _set_label(self, text: Any, label: Any) -> None:
        (name,) = self._lists.read(text, patterns=False)
        wanted = str(label).strip()
        if wanted and (self._labels.get(wanted, name) != name or wanted in self._patterns):
            raise parameter_error(f"{wanted} names something else already")
        self._forget_label(name)
        if wanted:
            self._labels[wanted] = name

    def _forget_label(self, name: str) -> None:
        for label in [label for label, labelled in self._labels.items() if labelled == name]:
            del self._labels[label]

    def _label(self, name: str) -> str:
        return next((label for label, labelled in self._labels.items() if labelled == name), name)

    def _reset_channels(self, text: Any) -> None:
        names = self._read_all(text)
        self._relays.change(self._with_backplanes(names), ())
        self._forget(names)
        touched = set(names)
        for pattern, image in list(self._patterns.items()):
            if touched & set(image):
                del self._patterns[pattern]

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._forbidden.discard(name)
            self._relays.delays[name] = 0.0
            self._poles.pop(name, None)
            self._relays_of_channel.pop(name, None)
            self._forget_label(name)

    # -- patterns

    def _set_image(self, text: Any, name: Any) -> None:
        self._keep_pattern(name, self._closable(self._lists.read(text)))

    def _snapshot(self, name: Any) -> None:
        self._keep_pattern(name, self._relays.ordered(self._relays.closed))

    def _keep_pattern(self, name: Any, image: list[str]) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*", name):
            raise parameter_error("the name of a pattern has letters, digits and underscores")
        if len(name) > _LONGEST_NAME or name in self._labels:
            raise parameter_error(f"{name} cannot name a pattern")
        self._patterns[name] = image

    def _pattern_image(self, text: Any) -> str:
        names = [part.strip() for part in str(text).split(",")]
        for name in names:
            if name not in self._patterns:
                raise parameter_error(f"there is no channel pattern {name}")
        return ";".join(",".join(self._patterns[name]) for name in names)

    def _delete_pattern(self, name: Any) -> None:
        if self._patterns.pop(name, None) is None:
            raise parameter_error(f"there is no channel pattern {name}")

    def catalog(self) -> list[str]:
        """Names of the patterns."""
        return list(self._patterns)

    # -- what scripts see

    def _changed(self, _: str) -> None:
        self._relays.rule = self.table["connectrule"]
        self._relays.sequential = bool(self.table["connectsequential"])

    def _declare(self) -> None:
        table = self.table
        table.constants({"OFF": 0, "ON": 1})
        table.constants({"BREAK_BEFORE_MAKE": BREAK_FIRST, "MAKE_BEFORE_BREAK": MAKE_FIRST})
        table.choice("connectrule", BREAK_FIRST, (TOGETHER, BREAK_FIRST, MAKE_FIRST))
        table.choice("connectsequential", 0.0, (0.0, 1.0))
        table.on_change = self._changed
        for name, function in (
            ("close", self._close),
            ("open", self._open),
            ("exclusiveclose", self._exclusive_close),
            ("exclusiveslotclose", self._exclusive_slot_close),
            ("reset", self._reset_channels),
            ("getclose", self._get_close),
            ("getstate", self._get_state),
            ("getimage", self._get_image),
            ("setforbidden", lambda text: self._forbidden.update(self._read_all(text))),
            ("clearforbidden", self._clear_forbidden),
            ("getforbidden", self._get_forbidden),
            ("setdelay", self._set_delay),
            ("setpole", self._set_pole),
            ("setbackplane", self._set_backplane),
            ("getbackplane", self._get_backplane),
            ("setlabel", self._set_label),
        ):
            table.function(name, function)
        queries: dict[str, Callable[[str], str]] = {
            "getcount": lambda name: str(self._relays.counts[name]),
            "getdelay": lambda name: f"{self._relays.delays[name]:.5e}",
            "getpole": lambda name: f"{self._poles.get(name, 2.0):.0f}",
            "getlabel": self._label,
            "gettype": lambda _: "1",
        }
        for name, say in queries.items():
            self._declare_query(name, say)
        self._declare_patterns()

    def _declare_query(self, name: str, say: Callable[[str], str]) -> None:
        self.table.function(name, lambda text: self._each(text, say))

    def _declare_patterns(self) -> None:
        pattern = self.table.table("pattern")
        pattern.function("setimage", self._set_image)
        pattern.function("getimage", self._pattern_image)
        pattern.function("snapshot", self._snapshot)
        pattern.function("delete", self._delete_pattern)
        pattern.function("list", self.catalog)

    def _clear_forbidden(self, text: Any) -> None:
        self._forbidden.difference_update(self._read_all(text))
