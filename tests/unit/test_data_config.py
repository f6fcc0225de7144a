"""Data configurations and the loader they drive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from hil.data import Dataset, load_dataset
from hil.data.config import DataConfig, DigitsConfig, FileConfig, IrisConfig, MnistConfig, XorConfig
from hil.data.idx import write_idx
from hil.errors import DataError

ADAPTER: TypeAdapter[DataConfig] = TypeAdapter(DataConfig)


def mnist_folder(folder: Path, n_train: int) -> Path:
    folder.mkdir()
    for part, count in (("train", n_train), ("t10k", 2)):
        images = np.full((count, 2, 2), 255, dtype=np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8))
    return folder


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"kind": "digits"}, DigitsConfig),
        ({"kind": "iris", "holdout": 20}, IrisConfig),
        ({"kind": "xor"}, XorConfig),
        ({"kind": "mnist", "directory": "d", "train_examples": 5}, MnistConfig),
        ({"kind": "file", "path": "a.csv", "target_columns": ["y"], "scale": "unit"}, FileConfig),
    ],
)
def test_kind_chooses_the_model_and_survives_json(value: dict[str, Any], kind: type) -> None:
    config = ADAPTER.validate_python(value)
    assert type(config) is kind
    assert value.items() <= config.model_dump(mode="json").items()
    assert ADAPTER.validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "cifar"},
        {},
        {"kind": "digits", "directory": "x"},
        {"kind": "digits", "holdout": -1},
        {"kind": "mnist", "train_examples": 0},
        {"kind": "mnist", "test_examples": 0},
        {"kind": "file"},
        {"kind": "file", "path": ""},
        {"kind": "file", "path": "a", "test_fraction": 1.0},
        {"kind": "file", "path": "a", "split_seed": -1},
        {"kind": "file", "path": "a", "task": "ranking"},
        {"kind": "file", "path": "a", "scale": "log"},
    ],
)
def test_wrong_configurations(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(value)


def test_configurations_are_frozen() -> None:
    config: Any = DigitsConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.holdout = 3


@pytest.mark.parametrize(
    ("config", "shape"),
    [(DigitsConfig(), (1437, 64)), (IrisConfig(), (120, 4)), (XorConfig(), (4, 2))],
)
def test_packaged_sets_by_kind(config: DataConfig, shape: tuple[int, int]) -> None:
    data = load_dataset(config)
    assert isinstance(data, Dataset)
    assert data.name == config.kind
    assert data.train_inputs.shape == shape


def test_holdout_replaces_the_test_part() -> None:
    full, held = load_dataset(IrisConfig()), load_dataset(IrisConfig(holdout=20))
    np.testing.assert_array_equal(held.test_inputs, full.train_inputs[-20:])
    np.testing.assert_array_equal(held.train_targets, full.train_targets[:-20])
    with pytest.raises(DataError, match="cannot hold out 120 of 120"):
        load_dataset(IrisConfig(holdout=120))


def test_mnist_folder_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argument = mnist_folder(tmp_path / "argument", 3)
    configured = mnist_folder(tmp_path / "configured", 4)
    environment = {"HIL_DATA": str(mnist_folder(tmp_path / "environment", 5))}
    named, unnamed = MnistConfig(directory=str(configured)), MnistConfig()

    def count(*args: Any) -> int:
        return len(load_dataset(*args).train_inputs)

    assert count(named, argument, environment) == 3
    assert count(named, None, environment) == 4
    assert count(unnamed, None, environment) == 5
    monkeypatch.setenv("HIL_DATA", str(argument))
    assert count(unnamed) == 3
    limited = load_dataset(MnistConfig(train_examples=2, test_examples=1), argument)
    assert (len(limited.train_inputs), len(limited.test_inputs)) == (2, 1)


@pytest.mark.parametrize("environ", [{}, {"HIL_DATA": ""}])
def test_mnist_without_a_folder(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_DATA", "not-to-be-used")
    with pytest.raises(DataError, match=r"no folder was named .*--data DIR.*HIL_DATA"):
        load_dataset(MnistConfig(), environ=environ)


def test_file_options_and_base_folder(tmp_path: Path) -> None:
    rows = "".join(f"{i % 2}.5,{i},{i}\n" for i in range(10))
    (tmp_path / "mine.csv").write_text("y,a,b\n" + rows)
    config = FileConfig(
        path="mine.csv",
        test_fraction=0.3,
        split_seed=5,
        task="regression",
        scale="unit",
        target_columns=("y",),
    )
    data = load_dataset(config, tmp_path)
    assert (data.name, data.n_features, data.n_classes) == ("mine", 2, None)
    assert (len(data.train_inputs), len(data.test_inputs)) == (7, 3)
    assert data.train_inputs.max() == 1
    absolute = config.model_copy(update={"path": str(tmp_path / "mine.csv")})
    again = load_dataset(absolute)
    np.testing.assert_array_equal(again.test_inputs, data.test_inputs)
    other = load_dataset(absolute.model_copy(update={"split_seed": 6}))
    assert other.test_inputs.tolist() != data.test_inputs.tolist()
    with pytest.raises(DataError, match=r"absent.*mine\.csv does not exist"):
        load_dataset(config, tmp_path / "absent")


def test_importing_the_package_is_light() -> None:
    check = (
        "import sys, hil.data; print(sorted({'scipy', 'pydantic', 'sklearn'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
