"""Texts of bench files for tests: wiring (a) with SMUs, wiring (b) with a board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomli_w

from drivers.bench.names import line_names
from drivers.bench.network import NetworkConfig

MOST_LINES = {"keithley3706a": 48, "keithley707b": 72}


def smu_bench(
    n_signals: int,
    hidden: Sequence[int],
    n_outputs: int,
    biased: Sequence[bool] = (),
    **changes: Any,
) -> str:
    """Wiring (a): 2636B SMUs, a 3706A with 3730 in slots 1-3 and 3740 in 4-5, a DAQ6510.

    ``in1, in2, ..`` and ``out1, ..`` are dual SMUs, ``access`` is one, ``matrix`` and ``meter``
    the rest. At most 48 lines and 40 nodes that are read.

    Args:
        n_signals: and
        hidden: and
        n_outputs: and
        biased: of the network.
        changes: tables merged into the file, such as ``programming={"scheme": "third"}``; a
            value of None deletes the key.
    """
    table = _common(n_signals, hidden, n_outputs, biased)
    network = _network(table, changes)
    topology = network.topology
    inputs = _channels("in", topology.inputs.size)
    outputs = _channels("out", topology.outputs.size)
    dual = dict.fromkeys(x.split(".")[0] for x in (*inputs, *outputs, "access.a"))
    instruments: dict[str, Any] = {name: _smu(k) for k, name in enumerate(dual)}
    instruments["matrix"] = {"model": "keithley3706a", "address": _address(101)}
    instruments["meter"] = {
        "model": "daq6510", "address": _address(102), "line_cycles": 0.1, "volts_range": 1.0,
    }  # fmt: skip
    table["instruments"] = instruments
    table["phases"] = {
        "kind": "smu",
        "inputs": inputs,
        "outputs": outputs,
        "voltmeter": "meter",
        "voltmeter_channels": _scanned(network.read_nodes.size),
        "max_input_volts": 0.5,
        "max_nudge_amps": 1e-4,
        "input_limit_amps": 1e-2,
        "nudge_limit_volts": 0.5,
        "noise_volts": 1e-5,
    }
    lines = line_names(topology)
    assert len(lines) <= MOST_LINES["keithley3706a"]
    work = [f"{4 + k // 32}{1 + k % 32:03d}" for k in range(len(lines))]
    third = table["programming"] | changes.get("programming", {})
    buses = ["high", "low", "ground", "soft", "third", "two_thirds"]
    if third.get("scheme") == "third":
        table["access"] |= {"third": "more.a", "two_thirds": "more.b"}
        instruments["more"] = _smu(99)
    else:
        buses = buses[:4]
    table["matrix"] = [
        block | {"work": work[first : first + 16]}
        for first, block in _blocks(lines, 16, dict(zip(buses, "123456", strict=False)))
    ]
    return tomli_w.dumps(_adapted(table, changes))


def board_bench(
    n_signals: int,
    hidden: Sequence[int],
    n_outputs: int,
    biased: Sequence[bool] = (),
    **changes: Any,
) -> str:
    """Wiring (b): a board called ``board``, a 707B ``matrix`` with 7174A, a 2636B ``access``.

    At most 72 lines. Arguments as of :func:`smu_bench`.
    """
    table = _common(n_signals, hidden, n_outputs, biased)
    topology = _network(table, changes).topology
    table["instruments"] = {
        "board": {"model": "shboard", "address": "/dev/ttyACM0"},
        "matrix": {"model": "keithley707b", "address": _address(101)},
        "access": _smu(0),
    }
    table["phases"] = {
        "kind": "board",
        "board": "board",
        "max_input_volts": 0.5,
        "max_nudge_amps": 1e-4,
        "nudge_limit_volts": 0.5,
        "noise_volts": 1e-4,
    }
    lines = line_names(topology)
    assert len(lines) <= MOST_LINES["keithley707b"]
    rows = {"high": "A", "low": "B", "ground": "C", "soft": "D"}
    table["matrix"] = [block for _, block in _blocks(lines, 12, rows)]
    return tomli_w.dumps(_adapted(table, changes))


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A table with changes in it, tables in both being merged; None deletes."""
    found = dict(table)
    for key, value in changes.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            found[key] = merged(found.get(key, {}), value)
        else:
            found[key] = value
    return found


def _adapted(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """With changes, and without what they leave no use for; wider phases widen what is harmless."""
    found = merged(table, changes)
    envelope = found["envelope"]
    if "half_select_volts" not in changes.get("envelope", {}):
        envelope["half_select_volts"] = max(envelope["half_select_volts"], envelope["read_volts"])
    access, phases = found.get("access", {}), found["phases"]
    channels = [*phases.get("inputs", ()), *phases.get("outputs", ())]
    channels += [value for value in access.values() if isinstance(value, str)]
    used = {channel.split(".")[0] for channel in channels} | set(changes.get("instruments", {}))
    used |= {phases.get("voltmeter"), phases.get("board")}
    used |= {block["instrument"] for block in found.get("matrix", ())}
    found["instruments"] = {name: x for name, x in found["instruments"].items() if name in used}
    return found


def _common(
    n_signals: int, hidden: Sequence[int], n_outputs: int, biased: Sequence[bool]
) -> dict[str, Any]:
    return {
        "network": {
            "n_signals": n_signals,
            "hidden": list(hidden),
            "n_outputs": n_outputs,
            "biased": list(biased),
            "g_min_siemens": 1e-6,
            "g_max_siemens": 1e-4,
            "pulse_siemens": 1e-7,
        },
        "envelope": {
            # What levels below ask for, and the errors of sources.
            "read_volts": 1.01,
            "program_volts": 2.01,
            "half_select_volts": 1.01,
            "source_amps": 1e-2,
            "program_amps": 1e-2,
        },
        "access": {"high": "access.a", "low": "access.b", "read_siemens": 1e-8},
        "programming": {
            "set_volts": 2.0,
            "reset_volts": 2.0,
            "width_seconds": 1e-3,
            "limit_amps": 1e-2,
        },
    }


def _network(table: Mapping[str, Any], changes: Mapping[str, Any]) -> NetworkConfig:
    return NetworkConfig.model_validate(merged(table["network"], changes.get("network", {})))


def _smu(place: int) -> dict[str, Any]:
    return {
        "model": "keithley2600b",
        "address": _address(11 + place),
        "volts_limit": 2.0,
        "amps_limit": 1e-2,
        "line_cycles": 0.01,
    }


def _address(host: int) -> str:
    return f"TCPIP::192.168.0.{host}::5025::SOCKET"


def _channels(name: str, count: int) -> list[str]:
    """Channels of dual SMUs."""
    return [f"{name}{1 + k // 2}.{'ab'[k % 2]}" for k in range(count)]


def _scanned(count: int) -> list[str]:
    """Channels of two cards of 20."""
    assert count <= 40
    return [f"{1 + k // 20}{1 + k % 20:02d}" for k in range(count)]


def _blocks(
    lines: Sequence[str], columns: int, rows: Mapping[str, str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Place of its first line, and matrix block, of each card from slot 1 on."""
    for slot, first in enumerate(range(0, len(lines), columns), start=1):
        part = list(lines[first : first + columns])
        points = {
            bus: [f"{slot}{row}{column:02d}" for column in range(1, len(part) + 1)]
            for bus, row in rows.items()
        }
        yield first, {"instrument": "matrix", "lines": part, **points}
