"""``hil train`` on netlists and on graphs that are no stacks of crossbars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from hil.cli.main import app
from hil.composition import resolve
from hil.runs import train_run
from tests.cli.stopping import StopAfter, Stopped

SHARED = """epochs = {epochs}
batch_size = 4
[data]
kind = "{data}"
[encoding]
input_volts = 1.0
target_volts = 0.1
[cost]
kind = "squared_error"
[estimator]
beta_siemens = 1e-5
[rule]
kind = "gradient"
rates = {rates}
[schedule]
kind = "constant"
[substrate]
g_min_siemens = 1e-8
g_max_siemens = 1e-3
"""

NETLIST_TABLE = """kind = "netlist"
file = "parts/xor.cir"
inputs = ["V1", "v2", "v3", "v4"]
outputs = ["y0", "Y1"]
trainable = ["rh*", "ro*"]
"""

GRAPH_TABLE = """kind = "nodal"
neurons = {kind = "ideal_pairs", lower_volts = -0.1, upper_volts = 0.1}
initial = {kind = "uniform", low_siemens = 1e-5, high_siemens = 1e-4}
"""


def hil(*args: str) -> Any:
    return CliRunner().invoke(app, args)


def xor_netlist(folder: Path) -> None:
    """Six neurons with a diode each; the diode model is in a file of its own."""
    rng = np.random.default_rng(1)
    lines = ["* exclusive or", ".include diode.inc"]
    lines += ["v1 a 0 0", "v2 b 0 0", "v3 an 0 0", "v4 bn 0 0", "vp p 0 0.5", "vm m 0 -0.5"]
    for h in range(6):
        lines += [
            f"rh{line}{h} {line} h{h} {rng.uniform(2e3, 5e4):.6g}"
            for line in ("a", "b", "an", "bn", "p", "m")
        ]
        lines.append(f"d{h} 0 h{h} dx" if h % 2 else f"d{h} h{h} 0 dx")
        lines += [f"ro{y}{h} h{h} y{y} {rng.uniform(2e3, 5e4):.6g}" for y in (0, 1)]
    folder.mkdir()
    (folder / "xor.cir").write_text("\n".join(lines) + "\n.end\n")
    (folder / "diode.inc").write_text("* a library part\n.model dx d(is=1e-9 n=1)\n")


def config(tmp_path: Path, table: str, epochs: int, data: str = "xor", rates: str = "1e-6") -> str:
    text = SHARED.format(epochs=epochs, data=data, rates=f"[{rates}]") + table
    (tmp_path / "network.toml").write_text(text)
    return str(tmp_path / "network.toml")


def test_a_netlist_learns_and_its_run_needs_no_file(tmp_path: Path) -> None:
    xor_netlist(tmp_path / "parts")
    file = config(tmp_path, NETLIST_TABLE, 80, rates="1e-6, 1e-6")
    run = tmp_path / "run"
    done = hil("train", "--config", file, "--out", str(run))
    assert done.exit_code == 0, done.output
    summary = json.loads((run / "summary.json").read_text())
    assert summary["test_error_percent"] == 0.0
    assert summary["substrate"] == "netlist"
    assert summary["devices"] == 6 * 8
    (tmp_path / "parts" / "xor.cir").unlink()
    (tmp_path / "parts" / "diode.inc").unlink()
    again = hil("evaluate", str(run))
    assert again.exit_code == 0, again.output
    assert "0.000 %" in again.output
    table = tmp_path / "g.csv"
    assert hil("export", str(run), str(table)).exit_code == 0
    assert len(table.read_text().splitlines()) == 6 * 8 + 1


@pytest.mark.parametrize(
    "graph",
    [
        '{kind = "lattice", rows = 8, columns = 3}',
        '{kind = "random", hidden = 8, degree = 4.0}',
        '{kind = "full", hidden = 4}',
        '{kind = "crossbars", hidden = [6]}',
    ],
)
def test_graphs_learn(tmp_path: Path, graph: str) -> None:
    file = config(tmp_path, GRAPH_TABLE + f"graph = {graph}\n", 30, "iris", "1e-5")
    run = tmp_path / "run"
    done = hil(
        "train", "--config", file, "--out", str(run), "--set", "cost.paired=true",
        "--set", "encoding.feature_offset=0.5", "--set", "batch_size=30",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    costs = [event["cost_volts2"] for event in events if "cost_volts2" in event]
    assert costs[-1] < 0.8 * costs[0]


def test_a_run_on_a_netlist_resumes_to_the_same_bits(tmp_path: Path) -> None:
    xor_netlist(tmp_path / "parts")
    file = config(tmp_path, NETLIST_TABLE, 4)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert hil("train", "--config", file, "--out", str(whole)).exit_code == 0
    with pytest.raises(Stopped):
        train_run(resolve(file=file), broken, listener=StopAfter(2))
    (tmp_path / "parts" / "xor.cir").unlink()
    done = hil("train", "--out", str(broken), "--resume")
    assert done.exit_code == 0, done.output
    assert "epoch 2/4" not in done.output
    first, second = (tmp_path / f"{k}.csv" for k in (1, 2))
    assert hil("export", str(whole), str(first)).exit_code == 0
    assert hil("export", str(broken), str(second)).exit_code == 0
    assert first.read_text() == second.read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("parts/xor.cir", "parts/none.cir", "none.cir"),
        ('"V1", ', "", "names 3 of them, but the data and the encoding need 4"),
        ('"y0", ', "", "names 1 of them, but the data and the encoding need 2"),
        ('"rh*"', '"rz*"', "no resistor is called rz"),
        ('file = "parts/xor.cir"\n', "", "give the netlist as file, or as text"),
    ],
)
def test_a_bad_table_is_one_message(tmp_path: Path, old: str, new: str, message: str) -> None:
    xor_netlist(tmp_path / "parts")
    assert old in NETLIST_TABLE
    file = config(tmp_path, NETLIST_TABLE.replace(old, new), 2)
    done = hil("train", "--config", file, "--out", str(tmp_path / "run"))
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert not (tmp_path / "run").exists()


def test_a_wrong_line_of_the_netlist_is_named(tmp_path: Path) -> None:
    xor_netlist(tmp_path / "parts")
    netlist = tmp_path / "parts" / "xor.cir"
    netlist.write_text(netlist.read_text().replace("v2 b 0 0", "q2 b 0 0"))
    done = hil("train", "--config", config(tmp_path, NETLIST_TABLE, 2))
    assert done.exit_code == 2
    assert "xor.cir" in done.output.replace("\n", "")
    assert "4" in done.output


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ('{kind = "lattice", rows = 2, columns = 4}', "do not fit on 8 nodes"),
        ('{kind = "random", hidden = 8, degree = 0.5}', "mean degree"),
        ('{kind = "full", hidden = 4, input_nodes = [0, 1]}', "input_nodes names 2 nodes"),
        ('{kind = "star", hidden = 4}', "graph"),
    ],
)
def test_a_bad_graph_is_one_message(tmp_path: Path, graph: str, message: str) -> None:
    file = config(tmp_path, GRAPH_TABLE + f"graph = {graph}\n", 2, "iris")
    done = hil("train", "--config", file, "--out", str(tmp_path / "run"))
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
