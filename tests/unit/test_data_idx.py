"""IDX files and MNIST-like folders."""

from __future__ import annotations

import gzip
import os
import struct
import tempfile
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from hil.data.idx import load_mnist, read_idx, write_idx
from hil.errors import DataError

DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]
NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def idx_arrays() -> st.SearchStrategy[NDArray[Any]]:
    dtypes = st.sampled_from([order + name for name in DTYPES for order in "<>"])
    shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)
    return dtypes.flatmap(lambda dtype: hnp.arrays(np.dtype(dtype), shapes))


@settings(max_examples=80, deadline=None)
@given(array=idx_arrays(), ending=st.sampled_from(["", ".idx", ".gz"]))
def test_round_trip_keeps_type_shape_and_bits(array: NDArray[Any], ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"array{ending}"
        write_idx(path, array)
        compressed = path.read_bytes()[:2] == b"\x1f\x8b"
        back = read_idx(path)
    assert compressed == (ending == ".gz")
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.dtype.isnative
    assert back.shape == array.shape
    assert back.tobytes() == array.astype(back.dtype).tobytes()


def test_layout_is_that_of_the_format(tmp_path: Path) -> None:
    write_idx(tmp_path / "a", np.array([[1, -2, 3]], dtype=np.int16))
    expected = bytes.fromhex("00000b02 00000001 00000003 0001 fffe 0003".replace(" ", ""))
    assert (tmp_path / "a").read_bytes() == expected


def test_compression_is_told_by_content_and_is_reproducible(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_idx(tmp_path / "a.gz", array)
    write_idx(tmp_path / "b.gz", array)
    content = (tmp_path / "a.gz").read_bytes()
    assert content == (tmp_path / "b.gz").read_bytes()
    assert content[4:8] == bytes(4)  # no time stamp
    (tmp_path / "no-ending").write_bytes(content)
    (tmp_path / "plain.gz").write_bytes(gzip.decompress(content))
    np.testing.assert_array_equal(read_idx(tmp_path / "no-ending"), array)
    np.testing.assert_array_equal(read_idx(tmp_path / "plain.gz"), array)


GOOD = bytes.fromhex("0000080200000002000000030102030405ff")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an IDX file: expected .*found ''"),
        (b"\x00\x00\x08", r"not an IDX file: .*found '00 00 08'"),
        (b"PK\x03\x04rest", r"not an IDX file: .*found '50 4b 03 04'"),
        (b"\x00\x00\x0a\x01" + bytes(8), r"not an IDX file: .*found '00 00 0a 01'"),
        (b"\x00\x00\x08\x00" + bytes(8), r"not an IDX file: .*found '00 00 08 00'"),
        (b"\x00\x00\x08\xff" + bytes(8), r"not an IDX file: .*found '00 00 08 ff'"),
        (GOOD[:10], r"truncated: its IDX header needs 12 bytes, found 10"),
        (GOOD[:-1], r"truncated: shape \(2, 3\) of uint8 needs 6 bytes .*, found 5"),
        (GOOD + b"\x00", r"trailing bytes: shape \(2, 3\) of uint8 needs 6 bytes .*found more"),
    ],
)
def test_malformed_content_is_named(
    tmp_path: Path, content: bytes, message: str, compress: bool
) -> None:
    path = tmp_path / "bad-file"
    path.write_bytes(gzip.compress(content) if compress else content)
    with pytest.raises(DataError, match=r"bad-file.*" + message) as caught:
        read_idx(path)
    assert caught.value.evidence["path"] == str(path)


@pytest.mark.parametrize("count", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_large_file_is_read_whole_and_checked_to_its_end(tmp_path: Path, count: int) -> None:
    array = np.arange(count, dtype=np.int32).astype(np.uint8)
    path = tmp_path / "large"
    write_idx(path, array)
    np.testing.assert_array_equal(read_idx(path), array)
    with path.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(DataError, match="has trailing bytes"):
        read_idx(path)


@pytest.mark.parametrize("damage", ["cut", "flip", "append"])
def test_damaged_gzip_is_named(tmp_path: Path, damage: str) -> None:
    content = bytearray(gzip.compress(GOOD, mtime=0))
    if damage == "cut":
        del content[-9:]
    elif damage == "flip":
        content[-6] ^= 0xFF  # the stored checksum
    else:
        content += b"rubbish"
    path = tmp_path / "images.gz"
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"images\.gz starts as gzip but cannot be decompressed"):
        read_idx(path)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing-here does not exist"):
        read_idx(tmp_path / "nothing-here")
    with pytest.raises(DataError, match=r"is a directory where the IDX file was expected"):
        read_idx(tmp_path)


@pytest.mark.parametrize("compress", [False, True])
def test_absurd_header_does_not_allocate(tmp_path: Path, compress: bool) -> None:
    content = b"\x00\x00\x0e\x03" + struct.pack(">3I", 2**31, 2**10, 2**10) + bytes(100)
    path = tmp_path / "absurd"
    path.write_bytes(gzip.compress(content) if compress else content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"truncated: .*found 100"):
            read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_impossible_empty_shape_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"\x00\x00\x0e\x04" + struct.pack(">4I", 0, *[2**32 - 1] * 3))
    with pytest.raises(DataError, match="which no array can have"):
        read_idx(path)


@pytest.mark.parametrize(
    "array", [np.zeros(3, dtype=np.int64), np.zeros(2, dtype=bool), np.zeros((), dtype=np.uint8)]
)
def test_writing_what_has_no_idx_form(tmp_path: Path, array: NDArray[Any]) -> None:
    with pytest.raises(DataError, match="has no IDX form"):
        write_idx(tmp_path / "a", array)
    assert not (tmp_path / "a").exists()


def test_writing_to_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_idx(tmp_path / "none" / "a", np.zeros(3, dtype=np.uint8))


def write_folder(
    folder: Path, replaced: Mapping[str, NDArray[Any]] | None = None, ending: str = ""
) -> Path:
    rng = np.random.default_rng(3)
    arrays: dict[str, NDArray[Any]] = {
        "train_images": rng.integers(0, 256, (6, 4, 3), dtype=np.uint8),
        "train_labels": np.array([0, 9, 1, 8, 2, 7], dtype=np.uint8),
        "test_images": rng.integers(0, 256, (2, 4, 3), dtype=np.uint8),
        "test_labels": np.array([5, 4], dtype=np.uint8),
    }
    for key, array in {**arrays, **(replaced or {})}.items():
        write_idx(folder / (NAMES[key] + ending), array)
    return folder


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_mnist_folder(tmp_path: Path, ending: str, dotted: bool) -> None:
    images = np.zeros((6, 4, 3), dtype=np.uint8)
    images[2, 1, 0], images[2, 3, 2] = 255, 51
    write_folder(tmp_path, {"train_images": images}, ending)
    if dotted:
        for file in list(tmp_path.iterdir()):
            file.rename(tmp_path / file.name.replace("-idx", ".idx"))
    data = load_mnist(str(tmp_path))
    assert (data.name, data.n_classes, data.n_features, data.n_outputs) == ("mnist", 10, 12, 10)
    assert data.is_classification
    assert data.train_inputs.dtype == np.float32
    assert data.train_inputs.shape == (6, 12)
    assert data.test_inputs.shape == (2, 12)
    expected = np.zeros(12, dtype=np.float32)
    expected[3], expected[11] = 1.0, 0.2
    np.testing.assert_array_equal(data.train_inputs[2], expected)
    assert data.train_targets.tolist() == [0, 9, 1, 8, 2, 7]
    assert data.test_targets.tolist() == [5, 4]


def test_mnist_limits_keep_the_first_examples(tmp_path: Path) -> None:
    full = load_mnist(write_folder(tmp_path))
    part = load_mnist(tmp_path, train_examples=4, test_examples=1)
    np.testing.assert_array_equal(part.train_inputs, full.train_inputs[:4])
    assert part.train_targets.tolist() == [0, 9, 1, 8]
    assert part.test_targets.tolist() == [5]
    with pytest.raises(DataError, match=r"has 6 images but the first 7 are to be used"):
        load_mnist(tmp_path, train_examples=7)
    with pytest.raises(DataError, match=r"has 2 images but the first 3 are to be used"):
        load_mnist(tmp_path, test_examples=3)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (
            {"train_labels": np.array([0, 1, 2, 10, 11, 3], dtype=np.uint8)},
            r"train-labels-idx1-ubyte: label 10 at index 3 .*outside 0\.\.9",
        ),
        ({"train_labels": np.zeros(5, dtype=np.uint8)}, r"has 6 images but .* has 5 labels"),
        ({"test_labels": np.zeros(3, dtype=np.uint8)}, r"t10k-images.* has 2 images but .* has 3"),
        ({"train_images": np.zeros((6, 12), dtype=np.uint8)}, r"uint8 of shape \(6, 12\); images"),
        ({"train_images": np.zeros((6, 4, 3), dtype=np.int32)}, r"holds int32 of shape"),
        ({"train_labels": np.zeros((6, 1), dtype=np.uint8)}, r"labels must be a 1-d array"),
        ({"train_labels": np.zeros(6, dtype=np.float32)}, r"labels must be a 1-d array of int"),
        ({"test_images": np.zeros((2, 3, 4), dtype=np.uint8)}, r"different data sets"),
        (
            {
                "train_images": np.zeros((0, 4, 3), dtype=np.uint8),
                "train_labels": np.zeros(0, dtype=np.uint8),
            },
            r"has 0 images",
        ),
    ],
)
def test_inconsistent_mnist_folder(
    tmp_path: Path, replaced: dict[str, NDArray[Any]], message: str
) -> None:
    write_folder(tmp_path, replaced)
    with pytest.raises(DataError, match=message):
        load_mnist(tmp_path)


def test_missing_mnist_files_name_file_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.*train-images-idx3.*--data DIR.*HIL_DATA"):
        load_mnist(tmp_path / "absent")
    write_folder(tmp_path)
    (tmp_path / NAMES["test_labels"]).unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.*--data DIR.*HIL_DATA"):
        load_mnist(tmp_path)


def test_real_mnist() -> None:
    folder = os.environ.get("HIL_DATA")
    if not folder or not list(Path(folder).glob("t10k-images*")):
        pytest.skip("HIL_DATA names no folder with the MNIST files")
    data = load_mnist(folder, train_examples=1000)
    assert data.train_inputs.shape == (1000, 784)
    assert data.test_inputs.shape == (10000, 784)
    assert data.train_targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(data.test_targets).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert data.train_inputs.max() == 1.0
    assert data.test_inputs.mean(dtype=np.float64) == pytest.approx(0.1325, abs=1e-4)
