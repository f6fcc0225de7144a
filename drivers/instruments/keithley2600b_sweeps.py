"""Sweeps of a Keithley 2600B as single lines of Lua.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F: "Using the remote trigger model",
smuX.trigger.*, trigger.timer[N].*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from drivers.instruments.smu import Held, HeldTiming
from drivers.instruments.tsp import number

__all__ = [
    "N_COLUMNS",
    "TIMING",
    "Letter",
    "held",
    "long_lists",
    "stepped",
]

Letter: TypeAlias = Literal["a", "b"]

LARGEST_LIST = 100  # values that go into one message
N_COLUMNS = 3  # amps, volts and status of a channel
TIMING = HeldTiming(
    shortest_seconds=100e-6,
    shortest_cycles=0.001,
    n_integrations=1,
    n_zeroed=3,
    point_seconds=60e-6,
    timed=True,
)
Levels: TypeAlias = Mapping[Letter, Sequence[float]]


def long_lists(levels: Levels) -> Iterator[str]:
    """Messages that bring lists too long for one, ahead of the sweep that uses them."""
    for x, values in levels.items():
        if len(values) > LARGEST_LIST:
            for first in range(0, len(values), LARGEST_LIST):
                chunk = ",".join(map(number, values[first : first + LARGEST_LIST]))
                if first == 0:
                    yield f"hil{x}={{{chunk}}}"
                else:
                    yield f"for _,x in ipairs({{{chunk}}}) do table.insert(hil{x},x) end"


def stepped(
    levels: Levels, names: Mapping[Letter, str], backs: Sequence[str], delay_seconds: float
) -> str:
    """A sweep that a loop steps; ``e`` counts errors step by step.

    Args:
        levels: lists of one length, by channel.
        names: attribute of each channel's level.
        backs: commands that bring the levels back.
        delay_seconds: from sourcing to reading.
    """
    n_steps = _length(levels)
    steps = [f"{names[x]}=hil{x}[k]" for x in levels]
    reads = [f"smu{x}.measure.overlappediv(smu{x}.nvbuffer1,smu{x}.nvbuffer2)" for x in levels]
    loop = " ".join((*steps, f"delay({number(delay_seconds)})", *reads, "waitcomplete()"))
    run = f"hile={{}} for k=1,{n_steps} do {loop} hile[k]=errorqueue.count end"
    return " ".join((*_short_lists(levels), *_clears(levels), run, *backs, _printed(levels)))


def held(levels: Levels, functions: Mapping[Letter, str], how: Held, line_cycles: float) -> str:
    """A sweep that the trigger model steps, in time with a timer.

    All channels wait for one generator, step, and read; the timer that the first step starts ends
    the step of all of them. At the end of the sweep the sources are back at their levels.

    Args:
        levels: lists of one length, by channel.
        functions: ``v`` or ``i``, what each sources.
        how: times.
        line_cycles: integration time afterwards.
    """
    before = [part for x in levels for part in _readied(x, functions[x], how, len(levels[x]))]
    first = next(iter(levels))
    before += [
        "trigger.timer[1].reset()",
        f"trigger.timer[1].delay={number(how.dwell_seconds)} trigger.timer[1].count=1",
        f"trigger.timer[1].stimulus=smu{first}.trigger.SOURCE_COMPLETE_EVENT_ID",
    ]
    run = [f"smu{x}.trigger.initiate()" for x in levels]
    run += ["trigger.generator[1].assert() waitcomplete()"]
    run += [f"hile={{}} for k=1,{_length(levels)} do hile[k]=errorqueue.count end"]
    after = [part for x in levels for part in _restored(x, functions[x], how, line_cycles)]
    lists = _short_lists(levels)
    return " ".join((*lists, *_clears(levels), *before, *run, *after, _printed(levels)))


def _readied(x: str, function: str, how: Held, n_steps: int) -> list[str]:
    trigger, measure, sensed = f"smu{x}.trigger", f"smu{x}.measure", _sensed(function)
    parts = [f"hild{x}={measure}.delay {measure}.delay={number(how.wait_seconds)}"]
    if how.quick:
        # One range for the whole sweep: the one of the compliance, which reads every current.
        parts += [f"{measure}.nplc={number(how.line_cycles)} {measure}.autozero=1"]
        parts += [f"hilr{x}={measure}.autorange{sensed}"]
        parts += [f"{measure}.range{sensed}=smu{x}.source.limit{sensed}"]
    return [
        *parts,
        f"{trigger}.source.list{function}(hil{x}) {trigger}.source.limit{sensed}=0",
        f"{trigger}.measure.iv(smu{x}.nvbuffer1,smu{x}.nvbuffer2)",
        f"{trigger}.source.action=1 {trigger}.measure.action=1",
        f"{trigger}.endpulse.action=1 {trigger}.endsweep.action=0",
        f"{trigger}.count={n_steps} {trigger}.arm.count=1",
        f"{trigger}.arm.stimulus=trigger.generator[1].EVENT_ID",
        f"{trigger}.source.stimulus=0 {trigger}.measure.stimulus=0",
        f"{trigger}.endpulse.stimulus=trigger.timer[1].EVENT_ID",
    ]


def _restored(x: str, function: str, how: Held, line_cycles: float) -> list[str]:
    measure, sensed = f"smu{x}.measure", _sensed(function)
    parts = [f"{measure}.delay=hild{x}"]
    if how.quick:
        parts += [f"{measure}.nplc={number(line_cycles)} {measure}.autozero=2"]
        parts += [f"{measure}.autorange{sensed}=hilr{x}"]
    return parts


def _sensed(function: str) -> str:
    return "i" if function == "v" else "v"


def _length(levels: Levels) -> int:
    return len(next(iter(levels.values())))


def _short_lists(levels: Levels) -> list[str]:
    return [
        f"hil{x}={{{','.join(map(number, values))}}}"
        for x, values in levels.items()
        if len(values) <= LARGEST_LIST
    ]


def _clears(levels: Levels) -> list[str]:
    return [f"smu{x}.nvbuffer1.clear() smu{x}.nvbuffer2.clear()" for x in levels]


def _printed(levels: Levels) -> str:
    """All columns as one block: the buffers of each channel, and the counts of errors."""
    columns = [f"smu{x}.nvbuffer1,smu{x}.nvbuffer2,smu{x}.nvbuffer1.statuses" for x in levels]
    return (
        "format.byteorder=format.LITTLEENDIAN format.data=format.REAL32 "
        f"printbuffer(1,{_length(levels)},{','.join(columns)},hile) format.data=format.ASCII"
    )
