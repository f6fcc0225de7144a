"""Which crosspoints are closed for which state of the lines, and in which order they move."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bench.config import BenchConfig
from drivers.bench.lines import Lines, crosspoints_of, idle_state, work_state
from drivers.instruments.base import Identity
from hil.errors import InstrumentError, UsageError
from tests.protocol.bench.files import board_bench, smu_bench

BUSES = {"high": "A", "low": "B", "ground": "C", "soft": "D"}
SOURCES = ("high", "low")


class Recording:
    """Switching mainframes that note every state that they are in."""

    def __init__(self, names: Collection[str]) -> None:
        self.closed: dict[str, frozenset[str]] = dict.fromkeys(names, frozenset())
        self.states: list[dict[str, frozenset[str]]] = []
        self.exchanges: list[str] = []
        self.refuses = False
        self.switches = {name: RecordingSwitch(name, self) for name in names}


class RecordingSwitch:
    """One of them: breaks before it makes."""

    def __init__(self, name: str, all_: Recording) -> None:
        self.name = name
        self.all = all_

    @property
    def address(self) -> str:
        return self.name

    def prepare(self) -> Identity:
        return Identity("", "", "", "")

    def close_exactly(self, names: Collection[str]) -> None:
        self.all.exchanges.append(self.name)
        if self.all.refuses:
            raise InstrumentError("refused")
        for closed in (self.all.closed[self.name] & frozenset(names), frozenset(names)):
            self.all.closed[self.name] = closed
            self.all.states.append(dict(self.all.closed))

    def closed(self) -> frozenset[str]:
        return self.all.closed[self.name]

    def leave(self, names: Collection[str]) -> None:
        self.close_exactly(names)

    def check(self) -> None:
        pass

    def close(self) -> None:
        pass


def config_of(text: str) -> BenchConfig:
    return BenchConfig.model_validate(tomllib.loads(text))


def several(**changes: Any) -> BenchConfig:
    """Six lines on three mainframes, two on each."""
    lines = ["a0.r0", "a0.r1", "a0.r2", "a0.c0", "a0.c1", "a0.c2"]
    names = [f"m{k}" for k in range(3)]
    blocks = [
        {"instrument": name, "lines": lines[2 * k : 2 * k + 2]}
        | {bus: [f"1{row}01", f"1{row}02"] for bus, row in BUSES.items()}
        for k, name in enumerate(names)
    ]
    mainframes = {n: {"model": "keithley707b", "address": n} for n in names}
    text = board_bench(3, [], 3, instruments={"matrix": None, **mainframes}, matrix=blocks)
    return config_of(text)


SEVERAL = several()


def on_buses(closed: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    """Lines by bus."""
    return {
        bus: {line for line, (name, x) in SEVERAL.crosspoints(bus).items() if x in closed[name]}
        for bus in BUSES
    }


states = st.fixed_dictionaries({line: st.sampled_from([*BUSES, None]) for line in SEVERAL.lines()})


@given(states, states)
def test_no_two_lines_meet_that_are_apart_before_and_after(
    before: dict[str, str | None], after: dict[str, str | None]
) -> None:
    bench = Recording(("m0", "m1", "m2"))
    lines = Lines(SEVERAL, bench.switches)
    lines.put(before)
    first, bench.states, bench.exchanges = on_buses(bench.closed), [], []
    lines.put(after)
    last = on_buses(bench.closed)
    assert last == {bus: {x for x, on in after.items() if on == bus} for bus in BUSES}
    for state in bench.states:
        found = on_buses(state)
        for bus in SOURCES:
            assert found[bus] <= first[bus] or found[bus] <= last[bus]
    moved = {name for name in bench.switches if crosspoints_of(SEVERAL, before)[name]
             != crosspoints_of(SEVERAL, after)[name]}  # fmt: skip
    assert set(bench.exchanges) == moved
    assert len(bench.exchanges) <= 2 * max(len(moved) - 1, 0) + 1


def test_mainframes_that_wait_for_each_other_open_first() -> None:
    bench = Recording(("m0", "m1", "m2"))
    lines = Lines(SEVERAL, bench.switches)
    ground = dict.fromkeys(SEVERAL.lines(), "ground")
    lines.put(ground | {"a0.r0": "high", "a0.r2": "low"})
    bench.exchanges = []
    lines.put(ground | {"a0.r0": "low", "a0.r2": "high"})
    assert len(bench.exchanges) == 3
    assert sorted(set(bench.exchanges)) == ["m0", "m1"]
    bench.exchanges = []
    # m1 leaves high before m2 gets there: no further exchange.
    lines.put(ground | {"a0.r0": "low", "a0.c1": "high"})
    assert bench.exchanges == ["m1", "m2"]


def test_one_mainframe_takes_one_exchange_and_none_if_nothing_changes() -> None:
    config = config_of(smu_bench(4, [], 3))
    bench = Recording(("matrix",))
    lines = Lines(config, bench.switches)
    ground = dict.fromkeys(config.lines(), "ground")
    for state in (
        ground,
        ground | {"a0.r0": "high", "a0.c2": "low"},
        ground | {"a0.r1": "high", "a0.c0": "low"},
        work_state(config),
    ):
        bench.exchanges = []
        lines.put(state)
        lines.put(dict(state))
        assert bench.exchanges == ["matrix"]
        assert bench.closed == crosspoints_of(config, state)


def test_after_a_failure_nothing_is_taken_for_granted() -> None:
    config = config_of(smu_bench(2, [], 1))
    bench = Recording(("matrix",))
    lines = Lines(config, bench.switches)
    lines.put(work_state(config))
    bench.refuses = True
    with pytest.raises(InstrumentError):
        lines.put(idle_state(config))
    bench.refuses = False
    lines.put(work_state(config))
    lines.forget()
    lines.put(work_state(config))
    assert bench.exchanges == ["matrix"] * 4


def test_states_of_work_and_idle() -> None:
    smu = config_of(smu_bench(2, [], 1, idle="soft_ground"))
    assert crosspoints_of(smu, work_state(smu)) == {"matrix": frozenset({"4001", "4002", "4003"})}
    assert crosspoints_of(smu, idle_state(smu)) == {"matrix": frozenset({"1401", "1402", "1403"})}
    grounded = config_of(smu_bench(2, [], 1, idle="hard_ground"))
    closed = crosspoints_of(grounded, idle_state(grounded))
    assert closed == {"matrix": frozenset({"1301", "1302", "1303"})}
    board = config_of(board_bench(2, [], 1))
    assert crosspoints_of(board, work_state(board)) == {"matrix": frozenset()}
    assert crosspoints_of(board, idle_state(board)) == {"matrix": frozenset()}


def test_a_state_names_every_line_and_buses_that_are_wired() -> None:
    config = config_of(board_bench(2, [], 1))
    with pytest.raises(UsageError, match=r"every line.*a0\.c0"):
        crosspoints_of(config, {"a0.r0": "high", "a0.r1": "ground"})
    with pytest.raises(UsageError, match=r"every line.*a7\.r0"):
        crosspoints_of(config, idle_state(config) | {"a7.r0": None})
    for bus in ("work", "nonsense"):
        with pytest.raises(UsageError, match=f"a0.r1 has no crosspoint to '{bus}'"):
            crosspoints_of(config, idle_state(config) | {"a0.r1": bus})
