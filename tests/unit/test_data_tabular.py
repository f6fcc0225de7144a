"""The user's own csv and npz files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.data.dataset import Dataset
from hil.data.table_csv import read_csv
from hil.data.tabular import TableOptions, load_table
from hil.errors import DataError


def write_csv(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def load_csv(folder: Path, text: str, **options: Any) -> Dataset:
    return load_table(write_csv(folder, text), TableOptions(**options))


def load_npz(folder: Path, options: TableOptions | None = None, /, **arrays: Any) -> Dataset:
    path = folder / "table.npz"
    np.savez(path, **arrays)
    return load_table(path, options)


FLOWERS = "size,weight,kind\n" + "".join(
    f"{i},{i * 0.5},{'rose' if i % 2 else 'aster'}\n" for i in range(20)
)


def test_csv_with_names_as_labels(tmp_path: Path) -> None:
    data = load_csv(tmp_path, FLOWERS)
    assert (data.name, data.n_classes, data.class_names) == ("table", 2, ("aster", "rose"))
    assert data.train_inputs.shape == (16, 2)
    assert data.test_inputs.shape == (4, 2)
    assert np.bincount(data.test_targets).tolist() == [2, 2]
    for inputs, targets in (
        (data.train_inputs, data.train_targets),
        (data.test_inputs, data.test_targets),
    ):
        np.testing.assert_array_equal(inputs[:, 0] % 2, targets)
        np.testing.assert_array_equal(inputs[:, 0] * 0.5, inputs[:, 1])
    sizes = [*data.train_inputs[:, 0].tolist(), *data.test_inputs[:, 0].tolist()]
    assert sorted(sizes) == list(range(20))


def test_csv_split_is_set_by_seed_and_fraction(tmp_path: Path) -> None:
    first = load_csv(tmp_path, FLOWERS, split_seed=1)
    again = load_csv(tmp_path, FLOWERS, split_seed=1)
    other = load_csv(tmp_path, FLOWERS, split_seed=2)
    np.testing.assert_array_equal(first.train_inputs, again.train_inputs)
    assert first.train_inputs.tolist() != other.train_inputs.tolist()
    assert len(load_csv(tmp_path, FLOWERS, test_fraction=0.5).test_inputs) == 10


def test_csv_integer_labels_with_a_gap(tmp_path: Path) -> None:
    text = "a,label\n" + "".join(f"{i}.5,{(0, 1, 4)[i % 3]}\n" for i in range(12))
    data = load_csv(tmp_path, text, test_fraction=0.25)
    assert (data.n_classes, data.class_names) == (5, None)
    assert sorted(data.test_targets.tolist()) == [0, 1, 4]


def test_csv_target_in_the_middle_and_scaling(tmp_path: Path) -> None:
    text = "a,y,b,c\n" + "".join(f"{i},{i / 4},{-i},7\n" for i in range(10))
    data = load_csv(tmp_path, text, target_columns=("y",), scale="symmetric")
    assert data.n_classes is None
    assert data.train_targets.shape == (8, 1)
    assert data.train_inputs.min(axis=0).tolist() == [-1, -1, 0]
    assert data.train_inputs.max(axis=0).tolist() == [1, 1, 0]
    np.testing.assert_allclose(data.test_inputs[:, 0], -data.test_inputs[:, 1], atol=1e-6)
    plain = load_csv(tmp_path, text, target_columns=("y",))
    np.testing.assert_allclose(plain.test_inputs[:, 0], plain.test_targets[:, 0] * 4)
    unit = load_csv(tmp_path, text, target_columns=("y",), scale="unit")
    assert (unit.train_inputs[:, 0].min(), unit.train_inputs[:, 0].max()) == (0, 1)


def test_csv_several_regression_targets(tmp_path: Path) -> None:
    text = "y2,a,y1\n" + "".join(f"{2 * i},{i},{i}.25\n" for i in range(8))
    data = load_csv(tmp_path, text, target_columns=("y1", "y2"))
    assert (data.n_outputs, data.n_features, data.is_classification) == (2, 1, False)
    np.testing.assert_array_equal(data.train_targets[:, 0], data.train_inputs[:, 0] + 0.25)
    np.testing.assert_array_equal(data.train_targets[:, 1], data.train_inputs[:, 0] * 2)


def test_csv_task_overrides_the_guess(tmp_path: Path) -> None:
    text = "a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(8))
    assert load_csv(tmp_path, text).n_classes == 2
    assert load_csv(tmp_path, text, task="regression").n_classes is None
    decimals = text.replace(",0\n", ",0.0\n").replace(",1\n", ",1.0\n")
    assert load_csv(tmp_path, decimals).n_classes is None
    data = load_csv(tmp_path, decimals, task="classification")
    assert (data.n_classes, data.class_names) == (2, None)
    mixed = load_csv(tmp_path, text.replace(",1\n", ",one\n"), task="classification")
    assert mixed.class_names == ("0", "one")


def test_csv_quotes_blank_lines_spaces_and_byte_order_mark(tmp_path: Path) -> None:
    text = '\ufeffa , "b,c",kind\n\n 1 ,2,"x, y"\n"3",4,z\n\n1,2,"x, y"\n3,4,z\n'
    path = write_csv(tmp_path, text.replace(' "b', '"b'))
    table = read_csv(path)
    assert table.inputs.tolist() == [[1, 2], [3, 4], [1, 2], [3, 4]]
    assert table.targets.tolist() == ["x, y", "z", "x, y", "z"]


def test_csv_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path) -> None:
    table = read_csv(write_csv(tmp_path, "\ufeffa,b\n1,2\n3,4\n"), ["a"])
    assert table.targets.tolist() == [1, 3]


@settings(max_examples=40, deadline=None)
@given(cells=st.lists(st.tuples(*[st.floats(-1e30, 1e30, width=64)] * 3), min_size=1, max_size=8))
def test_csv_numbers_survive_exactly(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[float, float, float]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "exact.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("a", "b", "y"), *cells])
    table = read_csv(path, task="regression")
    assert [(*x, *y) for x, y in zip(table.inputs, table.targets, strict=True)] == cells


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, r"table\.csv is empty"),
        ("\n\n", {}, r"table\.csv is empty"),
        ("a,b\n", {}, "has no data rows"),
        ("1,2\n3,4\n", {}, "first row holds numbers .1., so the header row seems"),
        ("5.1,3.5,cat\n4.9,3.0,dog\n", {}, "first row holds numbers .5.1., so"),
        ("a,a\n1,2\n", {}, "column names must be unique"),
        ("a,,b\n1,2,3\n", {}, "column names must be unique and not empty"),
        ("a,b\n1,2\n1,2,3\n", {}, "line 3: 3 cells where the header has 2 columns"),
        ("a,b\n1,2\n\n1\n", {}, "line 4: 1 cells where the header has 2 columns"),
        ("a,b\n1,0\nx1,1\n", {}, "line 3, column 'a': 'x1' is not a number"),
        ("a,b\n1,0\n1_0,1\n", {}, "line 3, column 'a': '1_0' is not a number"),
        ("a,b\n1,0\n,1\n", {}, "line 3, column 'a': empty cell"),
        ("a,b\n1,0\nnan,1\n", {}, "line 3, column 'a': 'nan' is not a finite number"),
        ("a,b\n1,0\n-inf,1\n", {}, "line 3, column 'a': '-inf' is not a finite number"),
        ("a,b\n1,0\n2,\n", {}, "line 3, column 'b': the cell is empty"),
        ("a,b\n1,.5\n2,NaN\n", {}, "line 3, column 'b': 'NaN' is not a finite number"),
        ("a,b\n1,.5\n2,.6\n3,n/a\n", {}, "line 4, column 'b': 'n/a' is text in a column"),
        ("a,b\n1,x\n2,y\n3,7\n", {}, "line 4, column 'b': '7' is a number in a column"),
        ("a,b\n1,.5\n2,q\n", {"task": "regression"}, "line 3, column 'b': 'q' is not a number"),
        ("a,b\n1,x\n", {"target_columns": ("c",)}, r"target columns \['c'\] do not fit"),
        ("a,b\n1,x\n", {"target_columns": ()}, r"target columns \[\] do not fit"),
        ("a,b\n1,x\n", {"target_columns": ("b", "b")}, "each once"),
        ("a,b\n1,2\n", {"target_columns": ("a", "b")}, "every column is a target"),
        ("a,b\n1,x\n2,x\n3,x\n", {}, "all training examples have the same class"),
        ("a,b\n1,x\n", {}, "cannot take 1 of 1 examples"),
        ("a,b\n1,x\n2,y\n3,z\n", {}, "no class has two examples"),
        ("a,b\n1,0\n2,-1\n3,0\n", {}, "label -1 of example 1 .*is not an integer from 0 to 2"),
        ("a,b\n1,1\n2,2\n3,3\n", {}, "label 3 of example 2"),
        ("a,b\n1,120\n2,300\n3,120\n", {}, "label 120 of example 0 .*data.task=regression"),
        ("a,b\n1,0\n2,1.5\n", {"task": "classification"}, r"label 1\.5 of example 1"),
        (
            "a,b,c\n1,0,1\n2,1,0\n",
            {"task": "classification", "target_columns": ("b", "c")},
            "needs one label per example, found 2 target columns",
        ),
        ("a,b\n1e39,0\n2,1\n", {}, "example 0, feature 0 .*too large for float32"),
        ('a,b\n"1,0\n', {}, "cannot be read as comma-separated UTF-8"),
    ],
)
def test_csv_errors(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_csv(tmp_path, text, **options)


def test_csv_error_evidence(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_csv(tmp_path, "a,b\n1,0\nx,1\n")
    expected = {"path": str(tmp_path / "table.csv"), "line": 3, "column": "a"}
    assert caught.value.evidence == expected


def test_csv_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("a,b\n1,é\n".encode("latin-1"))
    with pytest.raises(DataError, match="cannot be read as comma-separated UTF-8"):
        load_table(path)


def test_file_problems(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data file .*none\.csv does not exist"):
        load_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a directory where the data file"):
        load_table(tmp_path)
    (tmp_path / "data.xlsx").write_bytes(b"x")
    with pytest.raises(DataError, match=r"ends in '\.xlsx', which is no known format"):
        load_table(tmp_path / "data.xlsx")


INPUTS = np.arange(24.0).reshape(12, 2)


def test_npz_with_a_stated_split(tmp_path: Path) -> None:
    data = load_npz(
        tmp_path,
        TableOptions(scale="unit"),
        train_inputs=np.array([[0, 5], [10, 5], [5, 5]]),
        train_targets=np.array(["b", "a", "b"]),
        test_inputs=np.array([[20, 6]]),
        test_targets=np.array(["c"]),
    )
    assert data.train_inputs.tolist() == [[0, 0], [1, 0], [0.5, 0]]
    assert data.test_inputs.tolist() == [[2, 0]]
    assert data.class_names == ("a", "b", "c")
    assert data.train_targets.tolist() == [1, 0, 1]
    assert data.test_targets.tolist() == [2]


@pytest.mark.parametrize(
    ("targets", "n_classes", "n_outputs"),
    [
        (np.arange(12) % 3, 3, 3),
        (np.arange(12, dtype=np.uint8)[:, None] % 3, 3, 3),
        (np.arange(12) % 2 == 0, 2, 2),
        (np.arange(12) % 3 / 2, None, 1),
        (np.arange(36).reshape(12, 3), None, 3),
    ],
)
def test_npz_task_follows_the_type(
    tmp_path: Path, targets: Any, n_classes: int | None, n_outputs: int
) -> None:
    data = load_npz(tmp_path, None, inputs=INPUTS, targets=targets)
    assert (data.n_classes, data.n_outputs) == (n_classes, n_outputs)
    assert (len(data.train_inputs), len(data.test_inputs)) == (10, 2)
    order = (data.test_inputs[:, 0] / 2).astype(int)
    expected = targets[order] if targets.ndim == 2 and n_classes is None else targets[order].ravel()
    np.testing.assert_allclose(np.squeeze(data.test_targets), expected, rtol=1e-6)


LABELS = np.arange(12) % 2
SPLIT = {
    "train_inputs": INPUTS,
    "train_targets": LABELS,
    "test_inputs": INPUTS,
    "test_targets": LABELS,
}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": INPUTS}, r"holds the arrays \['x'\]; it needs either"),
        ({"inputs": INPUTS}, r"holds the arrays \['inputs'\]"),
        ({"train_inputs": INPUTS, "train_targets": LABELS}, "complete and not both"),
        ({**SPLIT, "inputs": INPUTS, "targets": LABELS}, "complete and not both"),
        ({"inputs": INPUTS, "targets": np.array([{}] * 12)}, "pickled objects are never loaded"),
        ({"inputs": INPUTS[:, 0], "targets": LABELS}, r"inputs has shape \(12,\)"),
        ({"inputs": INPUTS.astype(str), "targets": LABELS}, "real numbers of shape"),
        ({"inputs": INPUTS, "targets": LABELS[:5]}, r"targets has shape \(5,\); one row for each"),
        ({"inputs": INPUTS, "targets": LABELS - 1}, "label -1 of example 0"),
        ({"inputs": INPUTS, "targets": LABELS * 1j}, "targets have shape"),
        ({"inputs": INPUTS, "targets": LABELS * 0}, "the same class"),
        (
            {"inputs": np.where(INPUTS == 5, np.nan, INPUTS), "targets": LABELS},
            r"inputs is NaN or infinite at index \(2, 1\)",
        ),
        (
            {"inputs": INPUTS, "targets": np.where(LABELS == 1, np.inf, 0.0)},
            r"targets is NaN or infinite at index \(1,\)",
        ),
        ({**SPLIT, "test_inputs": INPUTS[:, :1]}, "must have equal columns"),
        ({**SPLIT, "test_targets": LABELS.astype(str)}, "must have equal columns and like types"),
        ({**SPLIT, "train_targets": LABELS * 0}, "the same class"),
        ({**SPLIT, "test_inputs": INPUTS[:0], "test_targets": LABELS[:0]}, r"shape \(0, 2\)"),
    ],
)
def test_npz_errors(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_npz(tmp_path, None, **arrays)


def test_npz_text_targets_do_not_fit_regression(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="regression needs numbers as targets, found text"):
        load_npz(
            tmp_path, TableOptions(task="regression"), inputs=INPUTS, targets=LABELS.astype(str)
        )
    with pytest.raises(DataError, match="only csv files have named columns"):
        load_npz(tmp_path, TableOptions(target_columns=("y",)), inputs=INPUTS, targets=LABELS)


def test_npz_that_is_no_zip_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, inputs=INPUTS, targets=LABELS)
    good = path.read_bytes()
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match=r"bad\.npz is not an npz file"):
        load_table(path)
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match=r"bad\.npz is not an npz file .*or is cut off"):
        load_table(path)
    path.write_bytes(good.replace(b"PK\x01\x02", b"PK\x01\x03"))  # its table of contents
    with pytest.raises(DataError, match=r"bad\.npz is damaged"):
        load_table(path)
    damaged = bytearray(good)
    damaged[good.index(INPUTS.tobytes()) + 3] ^= 0x40
    path.write_bytes(bytes(damaged))
    with pytest.raises(DataError, match=r"bad\.npz is damaged"):
        load_table(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"test_fraction": 0.0},
        {"test_fraction": 1.0},
        {"test_fraction": float("nan")},
        {"split_seed": -1},
        {"task": "ranking"},
        {"scale": "log"},
    ],
)
def test_option_values_are_checked(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(DataError, match=f"^{name} is .*; give "):
        TableOptions(**wrong)
