"""The substrate contract on networks of any shape, and their agreement with the layered path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hil.composition import ExperimentConfig
from hil.contract import check_substrate
from hil.energy import ResistorEnergy, Term
from hil.errors import ConfigurationError
from hil.substrate import Drive
from sim_backend.graph.adapter import NodalSubstrate
from sim_backend.graph.config import NodalConfig
from sim_backend.graph.netlist import NetlistConfig
from sim_backend.layered.config import LayeredConfig
from sim_backend.order import Order

WINDOW: dict[str, Any] = {"g_min_siemens": 1e-5, "g_max_siemens": 2e-3}
START = {"kind": "uniform", "low_siemens": 1e-4, "high_siemens": 1e-3}
PAIRS = {"kind": "shockley_pairs", "lower_volts": -0.1, "upper_volts": 0.1}
CLIPPED = {"kind": "ideal_pairs", "lower_volts": -0.1, "upper_volts": 0.15}

GRAPHS: dict[str, dict[str, Any]] = {
    "lattice": {"kind": "lattice", "rows": 3, "columns": 4},
    "cylinder": {"kind": "lattice", "rows": 4, "columns": 3, "periodic": True},
    "random": {"kind": "random", "hidden": 8, "degree": 3.0},
    "full": {"kind": "full", "hidden": 4},
    "named nodes": {"kind": "full", "hidden": 3, "input_nodes": [6, 1, 4], "output_nodes": [0, 3]},
    "crossbar": {"kind": "crossbars"},
    "crossbars": {"kind": "crossbars", "hidden": [4, 3]},
}

NETLIST = """* an amplifier between two meshes, a bias line and an anchor
v1 a 0 0
v2 0 b 0
vbias top 0 0.2
r11 a h 2k
r12 b h 3k
r13 top h 5k
dh h rail dx
vrail rail 0 0.1
e1 s 0 h 0 3
vs s m 0
f1 h 0 vs 0.3
r21 m out 1k
r22 out 0 4k
r23 top out 7k
.model dx d(is=1n n=1.2)
.end
"""


def nodal(graph: dict[str, Any], neurons: dict[str, Any], **more: Any) -> NodalSubstrate:
    config = NodalConfig.model_validate(
        {"graph": graph, "neurons": neurons, "initial": START} | WINDOW | more
    )
    rng = np.random.default_rng(1)
    return config.exact(Order(3, 2, (False,) * config.n_crossbars, 1.0, "float64", 2, rng))


def netlist(**more: Any) -> NodalSubstrate:
    values = {
        "text": NETLIST,
        "inputs": ["V1", "v2"],
        "outputs": ["OUT"],
        "trainable": ["r1?", "r2*"],
    }
    config = NetlistConfig.model_validate(values | WINDOW | more)
    return config.exact(Order(2, 1, (False,), 1.0, "float64", 2, np.random.default_rng(1)))


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("neurons", ["ideal_diodes", "shockley_pairs", "linear"])
def test_graphs_honour_the_contract(graph: str, neurons: str) -> None:
    model = PAIRS if neurons == "shockley_pairs" else {"kind": neurons}
    check_substrate(lambda: nodal(GRAPHS[graph], model))


def test_netlists_honour_the_contract() -> None:
    check_substrate(netlist)
    check_substrate(lambda: netlist(initial=START, max_nudge_amps=1e-3, pulse_siemens=1e-5))


@pytest.mark.parametrize("neurons", [{"kind": "ideal_diodes"}, CLIPPED, PAIRS, {"kind": "linear"}])
@pytest.mark.parametrize("hidden", [(), (5,), (4, 3)])
def test_crossbars_settle_as_the_layered_path_does(
    neurons: dict[str, Any], hidden: tuple[int, ...]
) -> None:
    shared = {"neurons": neurons, "initial": START} | WINDOW
    general = NodalConfig.model_validate(
        shared | {"graph": {"kind": "crossbars", "hidden": hidden}, "tolerance": 1e-12}
    )
    fast = LayeredConfig.model_validate(shared | {"hidden": hidden})
    biased = (True,) * (len(hidden) + 1)
    made = [
        config.exact(Order(3, 2, biased, 1.0, "float64", 2, np.random.default_rng(3)))
        for config in (general, fast)
    ]
    rng = np.random.default_rng(4)
    n_inputs = made[0].spec.topology.inputs.size
    inputs, nudge = rng.uniform(-1.0, 1.0, (6, n_inputs)), rng.uniform(-1e-4, 1e-4, (6, 2))
    np.testing.assert_array_equal(*(s.read_conductance() for s in made))
    terms = []
    for drive in (Drive(inputs), Drive(inputs, nudge)):
        one, other = (substrate.settle(drive) for substrate in made)
        assert one.ok.all()
        assert other.ok.all()
        np.testing.assert_allclose(one.node_volts, other.node_volts, rtol=1e-9, atol=1e-10)
        terms.append([Term(1.0, one.node_volts), Term(1.0, other.node_volts)])
    contrasts = [
        substrate.spec.energy.contrast([Term(-1.0, terms[0][k].node_volts), terms[1][k]])
        for k, substrate in enumerate(made)
    ]
    np.testing.assert_allclose(*contrasts, rtol=1e-6, atol=1e-10)


def test_an_amplifier_weighs_the_devices_behind_it() -> None:
    """B/A = 0.1 between the second group, where the nudge is, and the first."""
    energy = netlist().spec.energy
    assert isinstance(energy, ResistorEnergy)
    assert energy.weights == pytest.approx((10.0, 1.0))


def test_brackets_are_parts_of_names() -> None:
    text = NETLIST.replace("r11 a h 2k", "r[1] a h 2k\nr1 a h 5k")
    substrate = netlist(text=text, trainable=["r[?]", "r2*"])
    np.testing.assert_allclose(substrate.read_conductance()[0], 1 / 2e3)
    assert substrate.spec.topology.groups[0].n_devices == 1


def test_a_controlled_source_of_another_kind_is_refused() -> None:
    text = NETLIST.replace("f1 h 0 vs 0.3\n", "")
    with pytest.raises(ConfigurationError, match="e1 is a controlled source"):
        netlist(text=text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": ["v1", "v9"]}, "no voltage source v9"),
        (
            {"text": NETLIST.replace("v2 0 b 0", "v2 h b 0")},
            "v2 lies between nodes h and b; an input line is a voltage source to ground",
        ),
        ({"outputs": ["nowhere"]}, "no node nowhere"),
        ({"outputs": ["top"]}, "output top is held by a source"),
        ({"outputs": ["0"]}, "no node 0 that can be read"),
        ({"trainable": ["x*"]}, "no resistor is called x"),
        ({"trainable": ["r1?", "r11"]}, "r11 belongs to two entries"),
        ({"trainable": ["r*"]}, "lie on different sides of an amplifier"),
        ({"text": NETLIST.replace("h 0 3\n", "h 0 0\n")}, "e1 is a controlled source"),
        ({"text": NETLIST.replace("vs 0.3", "vs 0")}, "e1 is a controlled source"),
        ({"inputs": ["v1", "v1"]}, "is listed twice; name each node once"),
        ({"outputs": ["a"]}, "is both input and output"),
        ({"text": "* title\nv1 a 0\nr1 a\n"}, "netlist"),
        ({"text": "* only a title\n"}, "no elements"),
        ({"g_max_siemens": 2e-4}, "outside the window"),
        ({"initial": START | {"high_siemens": 1.0}}, "leave the window"),
    ],
)
def test_a_table_that_does_not_fit_the_netlist_is_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        netlist(**change)


@pytest.mark.parametrize(("signals", "outputs"), [(3, 1), (2, 2)])
def test_a_table_that_does_not_fit_the_data_is_refused(signals: int, outputs: int) -> None:
    config = NetlistConfig.model_validate(
        {"text": NETLIST, "inputs": ["v1", "v2"], "outputs": ["out"], "trainable": ["r1?"]} | WINDOW
    )
    with pytest.raises(ConfigurationError, match="but the data and the encoding need"):
        config.exact(Order(signals, outputs, (False,), 1.0, "float64", 2, np.random.default_rng(1)))


def test_experiments_take_every_kind_of_substrate() -> None:
    kinds = ExperimentConfig.model_json_schema()["properties"]["substrate"]["discriminator"]
    assert set(kinds["mapping"]) == {"layered", "nodal", "netlist", "bench"}
