"""``hil solve``: operating points of netlists, beside ngspice's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hil.cli.main import app

NGSPICE = shutil.which("ngspice")

RECTIFIER = """a supply with a limiter
.param load=2k
.model dx D(IS=1e-12 N=1.4 RS=3)
.subckt half in out
D1 in out dx
R1 out 0 {load}
.ends
V1 a 0 dc 5
Rs a b 50
X1 b c half
E1 e 0 c 0 -2.5
Re e f 1k
D2 0 f dx
G1 0 g f 0 1m
Rg g 0 {2*load}
.op
.end
"""


def hil(*args: str) -> Any:
    return CliRunner().invoke(app, args)


def test_json_and_text(tmp_path: Path) -> None:
    path = tmp_path / "divider.cir"
    path.write_text("divider\nV1 in 0 3\nR1 in mid 1k\nR2 mid 0 2k\n.end\n")
    result = hil("solve", str(path), "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["nodes"] == pytest.approx({"in": 3.0, "mid": 2.0})
    assert found["sources"] == pytest.approx({"v1": -1e-3})
    text = hil("solve", str(path)).stdout
    assert re.search(r"node +mid +2\.0{9}e\+00 V", text)
    assert re.search(r"source +v1 +-1\.0{9}e-03 A", text)


@pytest.mark.skipif(NGSPICE is None, reason="needs the package ngspice")
def test_it_agrees_with_ngspice(tmp_path: Path) -> None:
    assert NGSPICE is not None
    path = tmp_path / "rectifier.cir"
    path.write_text(RECTIFIER)
    found = json.loads(hil("solve", str(path), "--json").stdout)
    tight = ".options reltol=1e-9 vntol=1e-12 abstol=1e-16\n"
    control = tight + ".control\nset numdgt=12\nop\nprint all\nquit\n.endc\n"
    beside = tmp_path / "beside.cir"
    beside.write_text(RECTIFIER.replace(".op\n", control))
    done = subprocess.run(
        [NGSPICE, "-b", str(beside)], capture_output=True, text=True, timeout=60, check=True
    )
    theirs = {
        name.lower(): float(value)
        for name, value in re.findall(r"^(\S+) = (\S+)$", done.stdout, re.MULTILINE)
    }
    compared = [name for name in found["nodes"] if name in theirs]
    assert {"a", "b", "c", "e", "f", "g"} <= set(compared)
    for name in compared:
        # The thermal voltage is built on other constants there, six digits alike.
        assert found["nodes"][name] == pytest.approx(theirs[name], rel=2e-5, abs=2e-6)
    assert found["sources"]["v1"] == pytest.approx(theirs["v1#branch"], rel=2e-5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t\nV1 a 0 1\nR1 a b 1k\nR2 c d 1k\n.end\n", ["floats"]),
        ("t\nV1 a 0 1\nQ1 a b c npn\n.end\n", [":3:"]),
        ("t\nV1 a 0 1\nV2 a 0 2\n.end\n", ["v2", "loop"]),
        ("t\nV1 a 0 1\n.tran 1n 1u\n.end\n", [":3:"]),
    ],
)
def test_what_cannot_be_solved_is_one_message(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "broken.cir"
    path.write_text(text)
    result = hil("solve", str(path))
    assert result.exit_code == 2
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_file_is_one_message(tmp_path: Path) -> None:
    result = hil("solve", str(tmp_path / "absent.cir"))
    assert result.exit_code == 2
    assert "absent.cir" in result.stderr


@pytest.mark.parametrize("content", [b"", b"\n\n", b"only a title\n", b"t\rv1 a 0 1\rr1 a 0 1\r"])
def test_a_netlist_without_elements_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.cir"
    path.write_bytes(content)
    result = hil("solve", str(path), "--json")
    assert result.exit_code == 2
    assert "no elements" in result.stderr
