"""Settled node voltages against stored output of ngspice; runs everywhere.

``layered.cir`` is a network of 3 signals, hidden layers of 4 and 3 with amplifiers, bias lines
in every crossbar and 2 nudged outputs.  ``layered.out`` is what ``ngspice -b layered.cir``
(version 39) printed.  All numbers are taken from these two files.  The thermal voltage is
ngspice's own: the output contains the constants it used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hil.substrate import Drive

HERE = Path(__file__).parent
KELVIN = 300.15
EXACT_K_OVER_Q = 1.380649e-23 / 1.602176634e-19


def test_stored_ngspice_voltages(build: Callable[..., Any]) -> None:
    cards = (HERE / "layered.cir").read_text().splitlines()
    output = (HERE / "layered.out").read_text()
    printed = {k: float(v) for k, v in re.findall(r"^(\S+) = (\S+)$", output, re.MULTILINE)}
    fields = [card.split() for card in cards]
    values = {f[0]: float(f[-1]) for f in fields if f and f[0][0] in "VREFI"}
    model = next(card for card in cards if card.startswith(".model"))
    given = dict(re.findall(r"(\w+)=(\S+)", model))
    saturation, emission = float(given["IS"]), float(given["N"])
    thermal = emission * KELVIN * printed["boltz"] / printed["echarge"]
    built = build(
        (4, 3),
        {
            "kind": "shockley_pairs",
            "saturation_amps": saturation,
            "ideality": thermal / (KELVIN * EXACT_K_OVER_Q),
            "temperature_kelvin": KELVIN,
            "lower_volts": values["Vlow"],
            "upper_volts": values["Vup"],
        },
        n_signals=3,
        n_outputs=2,
        biased=(True, True, True),
        gains=(values["E9"], values["F9"]),
    )
    topology = built.topology
    resistors = [f for f in fields if f and f[0][0] == "R"]
    assert [int(f[1][1:]) for f in resistors] == list(topology.tails)
    assert [int(f[2][1:]) for f in resistors] == list(topology.heads)
    built.substrate.load_conductance(np.array([1.0 / float(f[3]) for f in resistors]))
    inputs = np.array([[values[f"Vin{n}"] for n in topology.inputs]])
    nudge = np.array([[values[f"Iout{n}"] for n in topology.outputs]])
    settled = built.substrate.settle(Drive(inputs, nudge))
    assert settled.ok.all()
    stored = [printed[f"v(n{n})"] for n in range(topology.n_nodes)]
    np.testing.assert_allclose(settled.node_volts[0], stored, rtol=1e-6, atol=1e-6)
    # The comparison would notice: the diodes carry current, and so does the nudge.
    diodes_off = build(
        (4, 3), "linear", n_signals=3, n_outputs=2, biased=(True,) * 3, gains=(4.0, 0.25)
    ).substrate
    diodes_off.load_conductance(built.substrate.read_conductance())
    for other in (diodes_off.settle(Drive(inputs, nudge)), built.substrate.settle(Drive(inputs))):
        gap = np.abs(other.node_volts[0] - stored)
        assert gap.max() > 1e-3
        assert gap[topology.outputs].min() > 1e-4
