"""The IDX array format: reading and writing one file.

An IDX file is a big-endian header followed by the values in C order: two zero bytes, one
byte for the value type, one for the number of dimensions, then each length as an unsigned
32-bit integer. The format is that of the MNIST files by LeCun, Cortes and Burges.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from os import PathLike
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from hil.data.paths import require_file
from hil.errors import DataError

__all__ = ["read_idx", "write_idx"]

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
_CODES = {name: code for code, name in _TYPES.items()}
_MAX_DIMENSIONS = 32
_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | PathLike[str]) -> NDArray[Any]:
    """Read one IDX file, plain or gzip-compressed (told apart by content, not by name).

    Memory use follows the bytes that are really there, not the sizes the header declares.

    Returns:
        The array in native byte order: uint8, int8, int16, int32, float32 or float64.

    Raises:
        DataError: when the file is missing, a directory, no IDX file, truncated, followed
            by extra bytes, or damaged gzip. The message says what was expected and found.

    """
    file = require_file(path, "IDX file")
    try:
        with _open(file) as stream:
            dtype, shape = _read_header(stream, file)
            return _read_values(stream, file, dtype, shape)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{file} starts as gzip but cannot be decompressed ({error}); the download is "
            "probably incomplete or damaged, so fetch the file again",
            path=str(file),
        ) from error
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}", path=str(file)) from error


def write_idx(path: str | PathLike[str], array: NDArray[Any]) -> None:
    """Write ``array`` as an IDX file, gzip-compressed if the name ends in ``.gz``.

    Args:
        path: file to create or overwrite.
        array: 1 to 32 dimensions of uint8, int8, int16, int32, float32 or float64, in
            either byte order. The same array always gives the same bytes.

    Raises:
        DataError: for another type or number of dimensions, or if writing fails.

    """
    file = Path(path)
    code = _CODES.get(array.dtype.str[1:])
    if code is None or not 1 <= array.ndim <= _MAX_DIMENSIONS or max(array.shape) >= 1 << 32:
        raise DataError(
            f"an array of type {array.dtype} and shape {array.shape} has no IDX form; convert "
            f"it to one of {', '.join(_CODES)} with 1 to {_MAX_DIMENSIONS} dimensions",
            path=str(file),
        )
    header = struct.pack(f">2x2B{array.ndim}I", code, array.ndim, *array.shape)
    content = header + array.astype(array.dtype.newbyteorder(">")).tobytes()
    if file.name.endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise DataError(f"{file} cannot be written: {error}", path=str(file)) from error


def _open(file: Path) -> IO[bytes]:
    with file.open("rb") as stream:
        compressed = stream.read(2) == _GZIP_MAGIC
    return cast(IO[bytes], gzip.open(file)) if compressed else file.open("rb")


def _read_header(stream: IO[bytes], file: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    known = len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in _TYPES
    if not known or not 1 <= magic[3] <= _MAX_DIMENSIONS:
        raise DataError(
            f"{file} is not an IDX file: expected the magic number 00 00, a type from 08 09 0b "
            f"0c 0d 0e and a dimension count from 01, found '{magic.hex(' ')}'; give the "
            "original file, or write one with hil.data.idx.write_idx",
            path=str(file),
            found=magic.hex(),
        )
    count = magic[3]
    lengths = stream.read(4 * count)
    if len(lengths) < 4 * count:
        raise DataError(
            f"{file} is truncated: its IDX header needs {4 + 4 * count} bytes, found "
            f"{4 + len(lengths)}; fetch the file again",
            path=str(file),
        )
    return np.dtype(">" + _TYPES[magic[2]]), struct.unpack(f">{count}I", lengths)


def _read_values(
    stream: IO[bytes], file: Path, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    size = math.prod(shape) * dtype.itemsize
    content = bytearray()
    while len(content) <= size:  # one byte beyond the end tells whether anything follows
        chunk = stream.read(min(_CHUNK, size + 1 - len(content)))
        if not chunk:
            break
        content += chunk
    if len(content) != size:
        problem, found = "is truncated", f"found {len(content)}"
        if len(content) > size:
            problem, found = "has trailing bytes", "found more"
        raise DataError(
            f"{file} {problem}: shape {shape} of {dtype.name} needs {size} bytes after the "
            f"header, {found}; fetch the file again or correct its header",
            path=str(file),
            expected=size,
        )
    try:
        values: NDArray[Any] = np.ndarray(shape, dtype, buffer=content)
    except ValueError as error:  # an empty array whose other lengths overflow
        raise DataError(
            f"{file} declares the shape {shape}, which no array can have; its header is "
            "damaged, so fetch the file again",
            path=str(file),
        ) from error
    return values.astype(dtype.newbyteorder("="), copy=False)
