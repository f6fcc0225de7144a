"""Settings that each channel of a scanner has for itself: ``VOLTage:NPLCycles 1,(@101:110)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Setting, Settings

__all__ = ["ChannelSettings"]


class ChannelSettings:
    """The same settings for every channel, and commands that take a channel list.

    Args:
        declared: the settings; a channel's are made when it is first named.
        channels: turns the text of a channel list into numbers.
        targets: channels meant when no list is sent.
        changed: called with channel and name after a client set one.
    """

    def __init__(
        self,
        declared: Iterable[Setting],
        channels: Callable[[str], list[int]],
        targets: Callable[[], list[int]],
        changed: Callable[[int, str], None] = lambda number, name: None,
    ) -> None:
        self._declared = tuple(declared)
        self._channels = channels
        self._targets = targets
        self._changed = changed
        self._kept: dict[int, tuple[Settings, list[Command]]] = {}

    def __getitem__(self, number: int) -> Settings:
        """The settings of one channel."""
        return self._entry(number)[0]

    def reset(self) -> None:
        """Every channel back to the defaults."""
        self._kept.clear()

    def reset_channel(self, number: int) -> None:
        """One channel back to the defaults."""
        self._kept.pop(number, None)

    def commands(self) -> Iterator[Command]:
        """One command and query for every setting, with an optional channel list behind."""
        for index, setting in enumerate(self._declared):
            yield Command(
                setting.header,
                lambda p, i=index: self._write(i, p),  # type: ignore[misc]
                lambda p, i=index: self._query(i, p),  # type: ignore[misc]
                takes=(1, 2),
                asks=(0, 2),
            )

    def _entry(self, number: int) -> tuple[Settings, list[Command]]:
        if number not in self._kept:
            settings = Settings(self._declared, lambda name: self._changed(number, name))
            self._kept[number] = settings, settings.commands()
        return self._kept[number]

    def _write(self, index: int, parameters: Parameters) -> None:
        value = parameters.text()
        numbers = self._channels(parameters.text()) if len(parameters) else self._targets()
        for number in numbers:
            write = self._entry(number)[1][index].write
            assert write is not None
            write(Parameters((value,), parameters.suffixes))

    def _query(self, index: int, parameters: Parameters) -> Reply:
        words = tuple(parameters.rest())
        if words and words[-1].startswith("("):
            numbers = self._channels(words[-1])
            words = words[:-1]
        else:
            numbers = self._targets()
        if not numbers:
            raise ScpiError(-109)
        answers = []
        for number in numbers:
            query = self._entry(number)[1][index].query
            assert query is not None
            answers.append(str(query(Parameters(words, parameters.suffixes))))
        return ",".join(answers)
