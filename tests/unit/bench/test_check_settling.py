"""What a check says of the settling time in a bench file."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from drivers.bench.checks import check_equipment
from drivers.bench.config import BenchConfig
from drivers.bench.findings import Finding
from drivers.emulated.bench.bench import EmulatedBench
from tests.protocol.bench.files import board_bench


def settling(farads: float, g_min_siemens: float = 1e-5, **phases: Any) -> Finding:
    """The finding, of a bench of three devices at one node."""
    network = {"node_farads": farads, "g_min_siemens": g_min_siemens}
    text = board_bench(3, (), 1, (), network=network, phases=phases)
    config = BenchConfig.model_validate(tomllib.loads(text))
    bench = EmulatedBench(config, 0)
    found: list[Finding] = []
    check_equipment(config, bench.transport, bench.sleep, found.append)
    (finding,) = [finding for finding in found if finding.name == "settling"]
    return finding


# 1e-9 F at 3e-5 S: 3.3e-5 s times ln(1e4).


@pytest.mark.parametrize("seconds", [0.0, 3.0e-4])
def test_less_than_nodes_could_need_is_a_remark(seconds: float) -> None:
    finding = settling(1e-9, settle_seconds=seconds)
    assert finding.ok is None
    assert f"{seconds:.3g} s, as the file says; with all devices at the lower" in finding.text
    assert "0.000307 s would be needed" in finding.text
    assert "else raise phases.settle_seconds, or leave it out" in finding.text


def test_no_time_is_enough_for_devices_down_to_nothing() -> None:
    assert settling(1e-9, 0.0, settle_seconds=1.0).ok is None


@pytest.mark.parametrize(
    ("farads", "phases"), [(1e-9, {}), (1e-9, {"settle_seconds": 3.1e-4}), (0.0, {})]
)
def test_enough_is_fine(farads: float, phases: dict[str, Any]) -> None:
    assert settling(farads, **phases).ok is True


def test_without_capacitance_no_time_is_too_short() -> None:
    assert settling(0.0, settle_seconds=0.0).ok is True
