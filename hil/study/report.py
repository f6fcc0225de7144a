"""Table and figure of a study folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hil.study.figure import check_format, figure_bytes
from hil.study.folder import StudyFolder
from hil.study.summary import StudySummary, summarise
from hil.study.table import csv_text

__all__ = ["Report", "write_report"]


@dataclass(frozen=True, slots=True)
class Report:
    """What was written.

    Attributes:
        summary: what table and figure show.
        table: the CSV.
        figure: the picture.
    """

    summary: StudySummary
    table: Path
    figure: Path


def write_report(path: Path, figure: str = "figure.png") -> Report:
    """Write the table and the figure of the results there are into the study's folder.

    Args:
        path: the folder.
        figure: name of the picture in it; the ending chooses the format.

    Raises:
        RunFolderError: it holds no study, or cannot be written to.
        ConfigurationError: the name of the figure ends in no format.
    """
    check_format(Path(figure))
    folder = StudyFolder(path)
    study = folder.study()
    summary = summarise(study, folder.results())
    table = folder.replace("table.csv", csv_text(summary).encode())
    drawn = folder.replace(figure, figure_bytes(study, summary, Path(figure)))
    return Report(summary, table, drawn)
