"""Reading a csv file with a header row into a raw table."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.data.targets import RawTable, Task
from hil.errors import DataError

__all__ = ["read_csv"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True)
class _Rows:
    """Stripped cells of a csv file; ``lines`` holds the line number of each row."""

    source: str
    header: list[str]
    cells: list[list[str]]
    lines: list[int]

    def problem(self, row: int, column: int, what: str, remedy: str) -> DataError:
        """Return an error that names the line and column of one cell."""
        line, name = self.lines[row], self.header[column]
        return DataError(
            f"{self.source}, line {line}, column '{name}': {what}; {remedy}",
            path=self.source,
            line=line,
            column=name,
        )


def read_csv(
    path: Path, target_columns: Sequence[str] | None = None, task: Task | None = None
) -> RawTable:
    """Read a comma-separated UTF-8 file whose first row names the columns.

    Cells may be quoted; spaces around them and blank lines are ignored. Columns not named
    as targets are features and must be finite numbers.

    Args:
        path: an existing file.
        target_columns: names of the target columns; the last column when omitted.
        task: decides how target cells are read. Without it one column that is all
            integers or has no number at all becomes labels, other columns numbers.

    Raises:
        DataError: naming line and column, for unreadable cells, ragged rows, a doubtful
            header, unknown target columns or an empty file.

    """
    rows = _read_rows(path)
    chosen = _target_positions(rows, target_columns)
    features = [i for i in range(len(rows.header)) if i not in chosen]
    if not features:
        raise DataError(
            f"{path}: every column is a target; leave at least one column as a feature",
            path=str(path),
        )
    return RawTable(str(path), _numbers(rows, features), _read_targets(rows, chosen, task))


def _read_rows(path: Path) -> _Rows:
    rows = _Rows(str(path), [], [], [])
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            for row in reader:
                if not row:
                    continue
                cells = [cell.strip() for cell in row]
                if not rows.header:
                    rows.header.extend(cells)
                    continue
                _check_width(rows, len(cells), reader.line_num)
                rows.cells.append(cells)
                rows.lines.append(reader.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as comma-separated UTF-8 text ({error}); save it again "
            "in that form",
            path=str(path),
        ) from error
    _check_header(rows)
    if not rows.cells:
        raise DataError(f"{path} has no data rows; add some below the header", path=str(path))
    return rows


def _check_width(rows: _Rows, width: int, line: int) -> None:
    if width != len(rows.header):
        raise DataError(
            f"{rows.source}, line {line}: {width} cells where the header has "
            f"{len(rows.header)} columns; check for missing or extra commas",
            path=rows.source,
            line=line,
        )


def _check_header(rows: _Rows) -> None:
    header = rows.header
    if not header:
        raise DataError(
            f"{rows.source} is empty; a header row and data rows are needed", path=rows.source
        )
    numbers = [name for name in header if _number(name) is not None]
    # Columns may be called 0, 1, 2; nobody calls one 5.1.
    measured = [name for name in numbers if not name.strip().isdigit()]
    if measured or len(numbers) == len(header):
        raise DataError(
            f"{rows.source}: the first row holds numbers ({(measured or numbers)[0]}), so the "
            "header row seems to be missing; put a row of column names on top",
            path=rows.source,
        )
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated or "" in header:
        raise DataError(
            f"{rows.source}: column names must be unique and not empty, found {header}; "
            "rename the columns",
            path=rows.source,
        )


def _target_positions(rows: _Rows, names: Sequence[str] | None) -> list[int]:
    wanted = rows.header[-1:] if names is None else list(names)
    unknown = [name for name in wanted if name not in rows.header]
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        raise DataError(
            f"{rows.source}: target columns {wanted} do not fit the columns {rows.header}; "
            "name one or more of these, each once",
            path=rows.source,
            unknown=unknown,
        )
    return [rows.header.index(name) for name in wanted]


def _read_targets(rows: _Rows, columns: list[int], task: Task | None) -> NDArray[Any]:
    if task == "regression" or len(columns) > 1:
        return _numbers(rows, columns)
    column = columns[0]
    cells = [row[column] for row in rows.cells]
    if "" in cells:
        raise rows.problem(cells.index(""), column, "the cell is empty", "fill it in")
    if all(_INTEGER.fullmatch(cell) for cell in cells):
        return np.array([int(cell) for cell in cells], dtype=np.int64)
    numeric = [_number(cell) is not None for cell in cells]
    if all(numeric):
        return _numbers(rows, columns)
    if task is None and any(numeric):
        rare = 2 * sum(numeric) < len(numeric)
        row = numeric.index(rare)
        raise rows.problem(
            row,
            column,
            f"'{cells[row]}' is {'a number' if rare else 'text'} in a column that holds both",
            "correct it, or set data.task=classification to read all cells as class names",
        )
    return np.array(cells, dtype=np.str_)


def _numbers(rows: _Rows, columns: list[int]) -> NDArray[np.float64]:
    values = np.empty((len(rows.cells), len(columns)))
    for row, cells in enumerate(rows.cells):
        for place, column in enumerate(columns):
            number = _number(cells[column])
            if number is None:
                what = f"'{cells[column]}' is not a number" if cells[column] else "empty cell"
                raise rows.problem(row, column, what, "enter a number or leave the row out")
            if not math.isfinite(number):
                what = f"'{cells[column]}' is not a finite number"
                raise rows.problem(row, column, what, "enter a number or leave the row out")
            values[row, place] = number
    return values


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
