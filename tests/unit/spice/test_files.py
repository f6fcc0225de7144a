"""Included files and libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim_backend.nodal.elements import Circuit
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.reader import parse_netlist, read_netlist
from tests.unit.spice.oracle import assert_same_solution, needs_ngspice, ngspice

MAIN = "title\nv1 a 0 5\nr2 n 0 1k\n"

LIBRARY = """r9 n 0 1
.lib tt
r1 a n 1k
.endl
.LIB 'ff'
r1 a n 3k
.endl ff
.lib both
.lib other.lib x
.lib models.lib tt
.endl
"""

FILES = {
    "sub/one.inc": "r1 a n 1k\nr3 n 0 2k\n.end\n",
    "sub/nested.inc": "* not a title\nr1 a n 1k\n.include deep/two.inc\n",
    "sub/deep/two.inc": "r5 n 0 1k\n.include ../../top.inc",
    "top.inc": "r6 n 0 7k",
    "sub/Upper Case.inc": "R1 A N 1k\n",
    "sub/parameters.inc": ".param rv=3k\n.subckt s a b\nr1 a b {rv}\n.ends\n",
    "sub/models.lib": LIBRARY,
    "sub/other.lib": ".lib x\nr7 n 0 5k\n.endl x\n",
}

GOOD = {
    '.include "sub/one.inc"': ["r1", "r3"],
    ".INC sub/one.inc ; comment": ["r1", "r3"],
    ".include 'sub/one.inc'\n+": ["r1", "r3"],
    ".include sub/nested.inc": ["r1", "r5", "r6"],
    '.include "sub/Upper Case.inc"': ["r1"],
    ".include sub/../sub/one.inc": ["r1", "r3"],
    ".include sub/parameters.inc\nx1 a n s": ["r.x1.r1"],
    "x1 a n s\n.subckt s a n\n.include sub/one.inc\n.ends": ["r.x1.r1", "r.x1.r3"],
    ".lib sub/models.lib tt": ["r1"],
    '.lib "sub/models.lib" FF': ["r1"],
    ".lib sub/models.lib both": ["r7", "r1"],
    ".include top.inc\n.lib sub/models.lib tt": ["r6", "r1"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "netlist"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "secret.inc").write_text("r1 a n 1k\n")
    return folder


def read(folder: Path, text: str) -> Circuit:
    path = folder / "main.cir"
    path.write_text(MAIN + text)
    return read_netlist(path).circuit


@pytest.mark.parametrize("text", GOOD)
def test_included_elements_stand_in_place(folder: Path, text: str) -> None:
    elements = read(folder, text).elements
    assert [element.name for element in elements] == ["v1", "r2", *GOOD[text]]


@needs_ngspice
@pytest.mark.parametrize("text", GOOD)
def test_ngspice_includes_the_same(folder: Path, text: str) -> None:
    assert_same_solution(read(folder, text), ngspice(MAIN + text, folder))


def test_lines_are_those_of_the_included_files(folder: Path) -> None:
    path = folder / "main.cir"
    path.write_text(MAIN + ".include sub/nested.inc\nr8 n 0 1\n")
    lines = read_netlist(path).lines
    assert lines["r1"] == (str(folder / "sub/nested.inc"), 2)
    assert lines["r5"] == (str(folder / "sub/deep/two.inc"), 1)
    assert lines["r8"] == (str(path), 5)


def test_a_string_with_a_path_includes_relative_to_it(folder: Path) -> None:
    text = MAIN + ".include top.inc"
    assert len(parse_netlist(text, path=folder / "main.cir").circuit.elements) == 3
    with pytest.raises(NetlistError, match="no folder") as caught:
        parse_netlist(text)
    assert str(caught.value).startswith("line 4: `.include top.inc`: ")


BAD = {
    ".include ../secret.inc": "outside the folder",
    ".include {parent}/secret.inc": "outside the folder",
    ".include link.inc": "outside the folder",
    ".include sub/linked/secret.inc": "outside the folder",
    ".lib ../secret.inc tt": "outside the folder",
    ".include /etc/passwd": "outside the folder",
    ".include sub/none.inc": "No such file",
    ".include sub": "not a file",
    ".include": "one file name",
    ".include a b": "one file name",
    ".include top.inc\n+ more": "one file name",
    ".include main.cir": "includes itself",
    ".include loop1.inc": "includes itself",
    ".lib loop.lib a": "includes itself",
    ".lib top.inc": "a file and a section",
    ".lib tt\nr1 a n 1\n.endl": "a file and a section",
    ".include sub/other.lib": "a file and a section",
    ".lib sub/models.lib ss": "no section `ss`",
    ".lib bad1.lib a": "inside another",
    ".lib bad2.lib a": "without .lib",
    ".lib bad3.lib a": "no .endl",
    ".lib bad4.lib a": "second section",
    ".endl": "outside of a library",
    ".include ended.inc": "after .end",
}

BAD_FILES = {
    "loop1.inc": ".include loop2.inc",
    "loop2.inc": "\n.include loop1.inc",
    "loop.lib": ".lib a\n.lib loop.lib b\n.endl\n.lib b\n.lib loop.lib a\n.endl",
    "bad1.lib": ".lib a\n.lib b\n.endl",
    "bad2.lib": ".endl\n.lib a\n.endl",
    "bad3.lib": ".lib a\nr1 a 0 1",
    "bad4.lib": ".lib a\n.endl\n.lib A\n.endl",
    "ended.inc": ".end\nr1 a 0 1",
}


@pytest.mark.parametrize("text", BAD)
def test_refusals(folder: Path, text: str) -> None:
    (folder / "link.inc").symlink_to(folder.parent / "secret.inc")
    (folder / "sub/linked").symlink_to(folder.parent, target_is_directory=True)
    for name, content in BAD_FILES.items():
        (folder / name).write_text(content)
    with pytest.raises(NetlistError, match=BAD[text]) as caught:
        read(folder, text.replace("{parent}", str(folder.parent)))
    assert caught.value.line is not None
    assert caught.value.path is not None


def test_a_link_inside_the_folder_is_followed(folder: Path) -> None:
    (folder / "inside.inc").symlink_to(folder / "top.inc")
    assert len(read(folder, ".include inside.inc").elements) == 3


def test_errors_in_included_files_name_them(folder: Path) -> None:
    (folder / "wrong.inc").write_text("* c\nr1 a n -5\n")
    with pytest.raises(NetlistError) as caught:
        read(folder, ".include wrong.inc")
    assert (caught.value.path, caught.value.line) == (str(folder / "wrong.inc"), 2)
    assert str(caught.value).startswith(f"{folder / 'wrong.inc'}:2: `r1 a n -5`: ")


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetlistError, match="No such file"):
        read_netlist(tmp_path / "none.cir")
    with pytest.raises(NetlistError, match="not a file"):
        read_netlist(tmp_path)


def test_comments_may_be_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.cir"
    path.write_bytes(b"title\n* R\xfcckkopplung\nr1 a 0 2 ; \xb1 5 %\n")
    assert len(read_netlist(path).circuit.elements) == 1


def test_includes_are_limited_in_depth_and_number(folder: Path) -> None:
    for i in range(30):
        (folder / f"deep{i}.inc").write_text(f".include deep{i + 1}.inc")
    with pytest.raises(NetlistError, match="20 deep"):
        read(folder, ".include deep0.inc")
    (folder / "empty.inc").write_text("* nothing\n")
    with pytest.raises(NetlistError, match="1000 files"):
        read(folder, ".include empty.inc\n" * 1001)
