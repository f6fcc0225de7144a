"""A study's summary as a table: CSV for programs, rich for people."""

from __future__ import annotations

import csv
import io
import math

from rich.table import Table

from hil.study.statistics import Interval
from hil.study.summary import ArmSummary, StudySummary

__all__ = ["COLUMNS", "csv_text", "rich_table"]

COLUMNS = (
    "imperfection",
    "level",
    "arm",
    "chips",
    "trainings",
    "mean_error_percent",
    "low_error_percent",
    "high_error_percent",
    "worst_error_percent",
    "mean_cost_volts2",
    "unsettled_test_examples",
    "mean_gain_percent",
    "low_gain_percent",
    "high_gain_percent",
    "setting",
)
"""Of the CSV.  ``chips`` and ``trainings`` have a result.  ``low`` and ``high`` are the 95 %
interval (Student's t) of the mean over trainings, of which each is the mean of its chips;
``gain`` is the error of transferred weights less that of weights trained on the same chip, and
stands in the rows of the first arm.  Values that there are none of are empty."""


_PERCENT_DIGITS = 9


def csv_text(summary: StudySummary) -> str:
    """The table as CSV: the ideal network, then a row an arm, level and imperfection."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    no_gain = Interval(math.nan, math.nan, math.nan, 0)
    writer.writerow(["none", "0", "ideal", *_numbers(summary.ideal), *_ends(no_gain), ""])
    for level in summary.levels:
        for arm, of_arm in level.arms.items():
            gain = level.gain if arm == "in_situ" else no_gain
            start = [level.imperfection, f"{level.level:g}", arm]
            writer.writerow([*start, *_numbers(of_arm), *_ends(gain), level.setting])
    return text.getvalue()


def rich_table(summary: StudySummary) -> Table:
    """The table for a terminal."""
    ideal = summary.ideal.mean
    table = Table(
        title="test error (%): mean over chips, 95 % interval (Student's t)",
        caption=f"without mismatch {_shown(ideal)}, n = {ideal.n};\n"
        f"gain: transferred less in situ, chip by chip{_on_sharing(summary)}",
    )
    table.add_column("imperfection")
    for name in ("level", "chips", "in situ", "transferred", "gain"):
        table.add_column(name, justify="right")
    before = ""
    for level in summary.levels:
        if before and level.imperfection != before:
            table.add_section()
        one, other = level.arms["in_situ"], level.arms["transfer"]
        fewest = min(len(one.errors_percent), len(other.errors_percent))
        table.add_row(
            level.imperfection if level.imperfection != before else "",
            f"{level.level:g}",
            f"{fewest}" if fewest == level.chips else f"{fewest} of {level.chips}",
            _shown(one.mean),
            _shown(other.mean),
            _shown(level.gain),
        )
        before = level.imperfection
    return table


def _on_sharing(summary: StudySummary) -> str:
    if not summary.is_shared:
        return ""
    if summary.trainings == 1:
        return (
            f";\n{summary.chips} chips share one training, so that there is no interval: "
            "it takes two trainings or more"
        )
    return (
        f";\n{summary.chips} chips share {summary.trainings} trainings: intervals are over the "
        "means of trainings"
    )


def _numbers(arm: ArmSummary) -> list[str]:
    worst = max(arm.errors_percent, default=math.nan)
    return [
        str(len(arm.errors_percent)),
        str(arm.mean.n),
        *_ends(arm.mean),
        _percent(worst),
        _number(arm.cost_volts2),
        str(arm.unsettled),
    ]


def _ends(interval: Interval) -> list[str]:
    return [_percent(interval.mean), _percent(interval.low), _percent(interval.high)]


def _percent(value: float) -> str:
    # Differences of equal percentages are rounding noise, not 4e-16; and 0, not -0.
    return _number(round(value, _PERCENT_DIGITS) + 0.0)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _shown(interval: Interval) -> str:
    if math.isnan(interval.mean):
        return "-"
    if math.isnan(interval.low):
        return f"{interval.mean:z.2f}"
    return f"{interval.mean:z.2f} ± {interval.half_width:z.2f}"
