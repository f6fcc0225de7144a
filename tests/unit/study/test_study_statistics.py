"""Means, intervals, the table and the figure."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest

from hil.errors import ConfigurationError
from hil.study.config import StudyConfig
from hil.study.figure import draw, figure_bytes
from hil.study.folder import Results
from hil.study.statistics import t_interval
from hil.study.summary import summarise
from hil.study.table import COLUMNS, csv_text, rich_table
from hil.study.tasks import tasks_of
from tests.unit.study.small import small_study


def _made_up(study: StudyConfig) -> Results:
    """Errors from level, chip and arm: in situ 1, 2, 3, .. times the level, transferred 10 more."""
    return {
        task.key: {
            "test_error_percent": 1.5
            if task.arm == "ideal"
            else task.level * (1.0 + task.chip) + 10.0 * (task.arm == "transfer"),
            "test_cost_volts2": 0.25,
            "unsettled_test_examples": task.chip,
        }
        for task in tasks_of(study)
    }


def test_interval_of_known_values() -> None:
    # t(0.975, 3) = 3.182446 (any table); s = sqrt(5/3).
    found = t_interval([1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    assert found.half_width == pytest.approx(3.182446 * math.sqrt(5.0 / 3.0) / 2.0, rel=1e-6)
    assert found.high - found.mean == pytest.approx(found.mean - found.low)


def test_interval_holds_the_expectation_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(3.0, 2.0, (4000, 5))
    held = [low.low <= 3.0 <= low.high for low in (t_interval(list(row)) for row in draws)]
    # Four standard deviations of a binomial of 4000 at 0.95.
    assert abs(np.mean(held) - 0.95) < 4.0 * math.sqrt(0.95 * 0.05 / 4000)


def test_interval_of_too_few() -> None:
    one, none = t_interval([2.0]), t_interval([])
    assert (one.mean, one.n, none.n) == (2.0, 1, 0)
    assert math.isnan(one.low)
    assert math.isnan(none.mean)


def test_gain_is_paired_by_chip() -> None:
    study = small_study(chips=4, trainings=4)
    summary = summarise(study, _made_up(study))
    for level in summary.levels:
        assert level.gain.mean == pytest.approx(10.0)
        assert level.gain.half_width == pytest.approx(0.0, abs=1e-9)
        assert level.arms["in_situ"].mean.half_width > 1.0
        assert level.arms["in_situ"].unsettled == 0 + 1 + 2 + 3
    assert summary.ideal.mean.n == 4
    assert summary.missing == ()


def test_gaps_are_left_out_and_counted() -> None:
    study = small_study(chips=3)
    results = _made_up(study)
    lost = ["in_situ/nudging/1.0/chip-2", "transfer/nudging/1.0/chip-0"]
    for key in lost:
        del results[key]
    summary = summarise(study, results)
    first = summary.levels[0]
    assert sorted(summary.missing) == lost
    assert first.arms["in_situ"].errors_percent == (1.0, 2.0)
    assert first.arms["transfer"].errors_percent == (12.0, 13.0)
    assert (first.gain.n, first.gain.mean) == (1, 10.0)


def test_csv() -> None:
    study = small_study(chips=3, trainings=3)
    rows = list(csv.DictReader(io.StringIO(csv_text(summarise(study, _made_up(study))))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["arm"] for row in rows] == ["ideal", "in_situ", "transfer", "in_situ", "transfer"]
    assert (rows[0]["mean_error_percent"], rows[0]["level"]) == ("1.5", "0")
    assert float(rows[3]["mean_error_percent"]) == 4.0
    assert float(rows[3]["worst_error_percent"]) == 6.0
    expected = t_interval([2.0, 4.0, 6.0])
    assert float(rows[3]["low_error_percent"]) == pytest.approx(expected.low, rel=1e-5)
    assert float(rows[3]["high_error_percent"]) == pytest.approx(expected.high, rel=1e-5)
    assert rows[3]["setting"] == "beta_siemens 0.002"
    assert rows[4]["mean_gain_percent"] == ""


def test_csv_and_table_without_any_result() -> None:
    summary = summarise(small_study(), {})
    rows = list(csv.DictReader(io.StringIO(csv_text(summary))))
    assert {row["mean_error_percent"] for row in rows} == {""}
    assert list(rich_table(summary).columns[3].cells) == ["-", "-"]
    assert list(rich_table(summary).columns[2].cells) == ["0 of 2", "0 of 2"]


def test_rich_table() -> None:
    study = small_study(chips=3, trainings=3)
    table = rich_table(summarise(study, _made_up(study)))
    cells = {str(column.header): list(column.cells) for column in table.columns}
    assert cells["level"] == ["1", "2"]
    assert cells["in situ"] == ["2.00 ± 2.48", "4.00 ± 4.97"]
    assert cells["transferred"] == ["12.00 ± 2.48", "14.00 ± 4.97"]
    assert cells["gain"] == ["10.00 ± 0.00", "10.00 ± 0.00"]
    assert "1.50" in str(table.caption)
    assert "share" not in str(table.caption)


def test_chips_that_share_a_training_are_no_independent_draws() -> None:
    study = small_study(chips=6, trainings=2)
    summary = summarise(study, _made_up(study))
    # Chips 0, 2, 4 have 1, 3, 5 with training 0; chips 1, 3, 5 have 2, 4, 6 with training 1.
    arm = summary.levels[0].arms["in_situ"]
    assert arm.mean == t_interval([3.0, 4.0])
    assert summary.levels[0].gain.n == 2
    assert arm.errors_percent == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    table = rich_table(summary)
    assert "6 chips share 2 trainings: intervals are over the means" in str(table.caption)
    assert list(table.columns[2].cells) == ["6", "6"]
    rows = list(csv.DictReader(io.StringIO(csv_text(summary))))
    assert (rows[1]["chips"], rows[1]["trainings"]) == ("6", "2")
    labels = draw(study, summary).axes[0].get_legend_handles_labels()[1]
    assert any("interval over trainings" in label for label in labels)


def test_intervals_hold_the_expectation_where_trainings_are_shared() -> None:
    study = small_study(chips=12, trainings=4)
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        results = _made_up(study)
        luck = rng.normal(5.0, 1.0, 4)
        for task in tasks_of(study):
            error = luck[task.training] + rng.normal(0.0, 0.3)
            results[task.key]["test_error_percent"] = float(error)
        mean = summarise(study, results).levels[0].arms["in_situ"].mean
        held.append(mean.low <= 5.0 <= mean.high)
    # Four standard deviations of a binomial of 400 at 0.95; taken as 12 draws it is 0.7.
    assert abs(np.mean(held) - 0.95) < 4.0 * math.sqrt(0.95 * 0.05 / 400)


def test_one_training_has_no_interval() -> None:
    study = small_study(chips=3, trainings=1)
    summary = summarise(study, _made_up(study))
    mean = summary.levels[0].arms["in_situ"].mean
    assert mean.mean == 2.0
    assert math.isnan(mean.half_width)
    assert "3 chips share one training" in str(rich_table(summary).caption)
    assert figure_bytes(study, summary, Path("a.svg")).startswith(b"<?xml")


def test_rounding_noise_is_no_gain() -> None:
    study = small_study(chips=3, trainings=3)
    results = _made_up(study)
    for key, result in results.items():
        result["test_error_percent"] = 0.3 if key.startswith("in_situ") else 0.1 + 0.2
        if "chip-1" in key:
            result["test_error_percent"] = 0.1 + 0.2 if key.startswith("in_situ") else 0.3
    rows = list(csv.DictReader(io.StringIO(csv_text(summarise(study, results)))))
    gains = [rows[1][f"{name}_gain_percent"] for name in ("mean", "low", "high")]
    assert gains == ["0", "0", "0"]


def test_figure_shows_means_and_intervals() -> None:
    study = small_study(chips=3, trainings=3)
    summary = summarise(study, _made_up(study))
    (axes,) = draw(study, summary).axes
    lines, _, bars = axes.containers[0]
    np.testing.assert_allclose(lines.get_ydata(orig=False), [2.0, 4.0])
    np.testing.assert_allclose(lines.get_xdata(orig=False), [1.0, 2.0], rtol=0.05)
    half = [segment[1, 1] - 0.5 * segment[:, 1].sum() for segment in bars[0].get_segments()]
    np.testing.assert_allclose(
        half, [level.arms["in_situ"].mean.half_width for level in summary.levels]
    )
    assert len(axes.containers) == 2
    assert axes.get_title() == "nudging"
    assert axes.get_xlabel() == "in mS"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.svg", b"<?xml")]
)
def test_figure_formats(name: str, start: bytes) -> None:
    study = small_study()
    assert figure_bytes(study, summarise(study, {}), Path(name)).startswith(start)


def test_a_panel_an_imperfection() -> None:
    one = small_study().imperfections[0]
    three = [one.model_copy(update={"name": name}) for name in ("a", "b", "c")]
    study = small_study(imperfections=three)
    figure = draw(study, summarise(study, _made_up(study)))
    assert [axes.get_title() for axes in figure.axes if axes.axison] == ["a", "b", "c"]


def test_unknown_figure_format() -> None:
    study = small_study()
    with pytest.raises(ConfigurationError, match=r"must end in \.png, \.pdf or \.svg"):
        figure_bytes(study, summarise(study, {}), Path("figure.bmp"))
