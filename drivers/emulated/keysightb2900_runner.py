"""Runs of an emulated Keysight B2900: sweeps, lists, pulses and measurements in step.

Channels that are initiated together step together: all levels are sourced, then all are measured.
A run is over when the command that starts it is, except one that waits for ``*TRG``; sources of
triggers that nobody pulls (external lines, LAN) wait until they are aborted. An endless run is
gone through once and is busy until it is aborted.

Source: Agilent B2900 Series SCPI Command Reference, B2910-90030, Edition 2, chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from drivers.emulated.keysightb2900_data import Trace
from drivers.emulated.keysightb2900_trigger import ChannelTriggers
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.status import Register
from drivers.emulated.world import World

__all__ = ["Runner"]

AUTO_WAIT_SECONDS = 1e-3
# Bits of the operation status that say an action of a channel is idle.
IDLE_BITS = {1: {"ACQ": 1, "TRAN": 4}, 2: {"ACQ": 7, "TRAN": 10}}


class Runner:
    """Runs channels in step.

    Args:
        triggers: of all channels, by number.
        traces: by number.
        world: whose time passes.
        operation: the register that shows which actions are idle.
    """

    def __init__(
        self,
        triggers: dict[int, ChannelTriggers],
        traces: dict[int, Trace],
        world: World,
        operation: Register,
    ) -> None:
        self._triggers = triggers
        self._traces = traces
        self._world = world
        self.automatic_time_reset = False
        self.reset_time()
        self._operation = operation
        self._waiting: list[int] = []
        self._endless: set[int] = set()
        self._actions: tuple[str, ...] = ()
        self._step = 0
        for number in triggers:
            self._show(number, busy=False)

    def reset_time(self) -> None:
        """Time stamps begin at 0 again."""
        self._epoch_seconds = self._world.now_seconds

    def elapsed_seconds(self) -> float:
        """Time since then."""
        return self._world.now_seconds - self._epoch_seconds

    def idle(self, number: int) -> bool:
        """Whether a channel waits for nothing and runs nothing."""
        return number not in self._waiting and number not in self._endless

    def abort(self, numbers: Sequence[int]) -> None:
        """Back to idle, at the programmed levels."""
        for number in numbers:
            if not self.idle(number):
                self._waiting = [waiting for waiting in self._waiting if waiting != number]
                self._endless.discard(number)
                self._triggers[number].channel.settle_at_level()
                self._show(number, busy=False)

    def initiate(self, actions: tuple[str, ...], numbers: Sequence[int]) -> None:
        """Run some channels, or let them wait for a trigger.

        ``OUTPut:ON:AUTO``, which a reset switches on, energises their outputs.

        Raises:
            ScpiError: -213 while one is not idle; what a sweep's settings raise.
        """
        if not all(self.idle(number) for number in numbers):
            raise ScpiError(-213)
        if "TRAN" in actions:
            for number in numbers:
                self._triggers[number].levels()  # refuses an impossible sweep before it starts
        if self.automatic_time_reset:
            self.reset_time()
        for number in numbers:
            self._triggers[number].samples = []
            channel = self._triggers[number].channel
            if channel.settings.flag("ON AUTO") and not channel.terminals.output_on:
                channel.switch(True)
        self._actions, self._step = actions, 0
        for number in numbers:
            self._show(number, busy=True)
        if any(self._triggers[number].waits() for number in numbers):
            self._waiting = list(numbers)
            return
        for _ in range(self._n_steps(numbers)):
            self._take_step(numbers)
        self._end(numbers)

    def trigger(self) -> None:
        """``*TRG``: one step of what waits; -211 if nothing does."""
        if not self._waiting:
            raise ScpiError(-211)
        numbers = list(self._waiting)
        self._take_step(numbers)
        if self._step >= self._n_steps(numbers):
            self._waiting = []
            self._end(numbers)

    def _show(self, number: int, busy: bool) -> None:
        """Bits of the operation status: an action is idle, or not."""
        for action, bit in IDLE_BITS[number].items():
            self._operation.set_condition(bit, not (busy and action in self._actions))

    def measure(self, numbers: Sequence[int]) -> None:
        """A spot measurement, which replaces the data; the outputs stay as they are."""
        for number in numbers:
            self._triggers[number].samples = []
        self._measure(numbers)

    def _n_steps(self, numbers: Sequence[int]) -> int:
        return max(self._triggers[n].steps(action) for n in numbers for action in self._actions)

    def _take_step(self, numbers: Sequence[int]) -> None:
        """Source on all channels, wait, and measure on all."""
        began = self._world.now_seconds
        step, self._step = self._step, self._step + 1
        chosen = [self._triggers[number] for number in numbers]
        stepping = [t for t in chosen if "TRAN" in self._actions and step < t.count("TRAN")]
        measuring = [t for t in chosen if "ACQ" in self._actions and step < t.count("ACQ")]
        pulsed = [t for t in stepping if t.channel.settings.word("SHAPE") == "PULS"]
        if pulsed:
            self._world.elapse(max(t.channel.settings.number("PULS DEL") for t in pulsed))
        if stepping:
            self._world.elapse(max(t.delay_seconds("TRAN") for t in stepping))
        for t in stepping:
            levels = t.levels()
            t.channel.force(levels[step % len(levels)])
        if stepping and not pulsed:
            waits = [t.channel.settings.flag("SOUR WAIT") for t in stepping]
            self._world.elapse(AUTO_WAIT_SECONDS * any(waits))
        if pulsed:
            self._world.elapse(max(t.channel.settings.number("PULS WIDT") for t in pulsed))
        if measuring:
            self._world.elapse(max(t.delay_seconds("ACQ") for t in measuring))
            # A pulse is measured at its end and is no longer for that.
            self._measure([t.channel.number for t in measuring], integrate=not pulsed)
        for t in pulsed:
            t.channel.settle_at_level()
        period = max(t.period_seconds() for t in chosen)
        self._world.elapse(max(0.0, began + period - self._world.now_seconds))

    def _measure(self, numbers: Sequence[int], integrate: bool = True) -> None:
        channels = [self._triggers[number].channel for number in numbers]
        if integrate:
            apertures = [channel.line_cycles / channel.line_hertz for channel in channels]
            self._world.elapse(max(apertures))
        seconds = self.elapsed_seconds()
        for channel in channels:
            sample = channel.sample(seconds)
            self._triggers[channel.number].samples.append(sample)
            self._traces[channel.number].store(sample)

    def _end(self, numbers: Sequence[int]) -> None:
        """Idle at the programmed level, unless the last one is to stay or the run is endless."""
        for number in numbers:
            triggers = self._triggers[number]
            if any(math.isinf(triggers.count(action)) for action in self._actions):
                self._endless.add(number)
                continue
            channel = triggers.channel
            if "TRAN" in self._actions:
                if channel.settings.flag("CONT"):
                    terminals = channel.terminals
                    terminals.levels[terminals.function] = channel.in_effect
                channel.settle_at_level()
            if channel.settings.flag("OFF AUTO"):
                channel.switch(False)
            self._show(number, busy=False)
