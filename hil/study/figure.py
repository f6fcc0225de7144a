"""A study's summary as a figure: one panel an imperfection, both arms against the level."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import ConfigurationError
from hil.study.config import Imperfection, StudyConfig
from hil.study.summary import LevelSummary, StudySummary
from hil.study.tasks import Arm

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "check_format", "draw", "figure_bytes"]

FORMATS = (".png", ".pdf", ".svg")
_LABEL_LETTERS = 66
_STYLE: dict[Arm, tuple[str, str, str, float]] = {
    "in_situ": ("trained on the chip", "tab:blue", "o", 0.97),
    "transfer": ("trained ideally, then written", "tab:red", "s", 1.03),
}
"""Label, colour, marker, and the factor that keeps error bars of the arms apart."""


def check_format(path: Path) -> None:
    """Refuse a name that ends in no format.

    Raises:
        ConfigurationError: it does.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(
            f"cannot draw {path}: the name must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        )


def figure_bytes(study: StudyConfig, summary: StudySummary, path: Path) -> bytes:
    """The figure in the format that a file name asks for.

    Raises:
        ConfigurationError: it asks for none.
    """
    check_format(path)
    content = io.BytesIO()
    draw(study, summary).savefig(content, format=path.suffix.lower()[1:], dpi=150)
    return content.getvalue()


def draw(study: StudyConfig, summary: StudySummary) -> Figure:
    """The figure, of as many panels as there are imperfections."""
    # The figure alone, without pyplot: no window system is asked for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n = len(study.imperfections)
    columns = min(n, 2)
    rows = -(-n // columns)
    figure = Figure(figsize=(4.6 * columns, 0.7 + 3.3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
    for axes, imperfection in zip(panels, study.imperfections, strict=False):
        levels = [s for s in summary.levels if s.imperfection == imperfection.name]
        _panel(axes, imperfection, levels, summary)
    _scale(panels[0], summary)
    for axes in panels[n:]:
        axes.set_axis_off()
    for axes in panels[:n:columns]:
        axes.set_ylabel("test error (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, fontsize="small")
    return figure


def _scale(axes: Axes, summary: StudySummary) -> None:
    """Logarithmic, so that 2 % and 3 % differ as 20 % and 30 % do; an error of 0 is at the edge."""
    from matplotlib.ticker import LogLocator, NullLocator

    means = [arm.mean.mean for level in summary.levels for arm in level.arms.values()]
    positive = [mean for mean in (*means, summary.ideal.mean.mean) if mean > 0.0]
    if not positive:
        return
    axes.set_yscale("log", nonpositive="clip")
    axes.set_ylim(0.6 * min(positive), 1.7 * max(positive))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")


def _panel(
    axes: Axes, imperfection: Imperfection, levels: list[LevelSummary], summary: StudySummary
) -> None:
    ideal = summary.ideal.mean
    axes.axhline(ideal.mean, color="0.4", lw=1.0, ls="--", label="without mismatch")
    if ideal.low < ideal.high:
        axes.axhspan(ideal.low, ideal.high, color="0.85", lw=0)
    over = "trainings" if summary.is_shared else "chips"
    for arm, (label, colour, marker, aside) in _STYLE.items():
        for level in levels:
            errors = level.arms[arm].errors_percent
            axes.plot(
                [level.level * aside] * len(errors), errors, ".", ms=2.5, alpha=0.35, color=colour
            )
        means = [level.arms[arm].mean for level in levels]
        axes.errorbar(
            [level.level * aside for level in levels],
            [mean.mean for mean in means],
            [mean.half_width for mean in means],
            color=colour,
            marker=marker,
            ms=4.5,
            lw=1.2,
            capsize=3.0,
            label=f"{label} (mean, 95 % interval over {over})",
        )
    axes.set_xscale("log")
    axes.set_xticks([level.level for level in levels], [f"{s.level:g}" for s in levels])
    axes.set_xticks([], minor=True)
    axes.set_title(imperfection.name, fontsize="medium")
    axes.set_xlabel(textwrap.fill(imperfection.meaning, _LABEL_LETTERS), fontsize="small")
