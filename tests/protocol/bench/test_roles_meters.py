"""Scanning voltmeters in their role: the file says how, one exchange a scan."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from drivers.bench.config import BenchConfig
from drivers.bench.meters import make_voltmeter, scan_setup
from drivers.emulated.agilent34970a import EmulatedAgilent34970A
from drivers.emulated.keithley2750 import EmulatedKeithley2750
from drivers.emulated.keithleydaq6510 import EmulatedKeithleyDaq6510
from drivers.emulated.world import ScannerWorld
from hil.errors import ConfigurationError
from tests.protocol.bench.files import board_bench, smu_bench
from tests.protocol.bench.instruments import entry, session

KINDS = {
    "daq6510": EmulatedKeithleyDaq6510,
    "agilent34970a": EmulatedAgilent34970A,
    "keithley2750": EmulatedKeithley2750,
}


def bench(model: str = "daq6510", **values: object) -> BenchConfig:
    meter = {"model": model, "line_cycles": 1.0, "volts_range": 1.0} | values
    found = smu_bench(2, [3], 2, instruments={"meter": meter})
    return BenchConfig.model_validate(tomllib.loads(found))


@pytest.mark.parametrize("model", KINDS)
def test_a_scan_is_one_exchange_in_the_order_of_the_file(model: str) -> None:
    config = bench(model)
    assert config.phases.kind == "smu"
    setup = scan_setup(config, settle_seconds=1e-3)
    wanted = 0.1 * np.arange(len(setup.channels))
    world = ScannerWorld({str(c): v for c, v in zip(setup.channels, wanted, strict=True)})
    spoken = session(KINDS[model](world))
    meter = make_voltmeter(config.instruments["meter"], spoken)
    meter.prepare(setup)
    sent = len(spoken.sent)
    np.testing.assert_allclose(meter.scan()[0], wanted, atol=1e-5)
    assert len(spoken.sent) == sent + 1
    assert meter.scan(3).shape == (3, wanted.size)
    assert len(spoken.sent) == sent + 2
    meter.make_safe()
    meter.check()


def test_the_file_says_how_to_scan() -> None:
    config = bench(line_cycles=0.5, volts_range=None, high_impedance=False)
    assert config.phases.kind == "smu"
    setup = scan_setup(config, settle_seconds=2e-3)
    assert setup.channels == tuple(map(int, config.phases.voltmeter_channels))
    assert setup.line_cycles == 0.5
    assert setup.volts_range is None
    assert not setup.high_impedance
    assert setup.settle_seconds == 2e-3
    assert scan_setup(bench()).settle_seconds is None


def test_a_board_needs_no_voltmeter() -> None:
    config = BenchConfig.model_validate(tomllib.loads(board_bench(2, [2], 1)))
    with pytest.raises(ConfigurationError, match="read by the board"):
        scan_setup(config)


@pytest.mark.parametrize("model", KINDS)
def test_another_instrument_is_refused(model: str) -> None:
    spoken = session(KINDS[model](ScannerWorld({})))
    meter = make_voltmeter(entry(model, idn="OTHER"), spoken)
    with pytest.raises(ConfigurationError, match="OTHER"):
        meter.prepare(scan_setup(bench()))
    assert spoken.sent == ["*IDN?"]
