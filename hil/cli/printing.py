"""What commands print about runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

__all__ = ["print_errors", "print_json", "print_restored", "print_summary"]


def print_json(value: Any) -> None:
    """Anything that JSON can hold."""
    import json

    typer.echo(json.dumps(value, indent=2))


def print_summary(
    summary: dict[str, Any], out: Path | None, already: bool, flags: str = ""
) -> None:
    """What came of a run.

    Args:
        summary: as in ``summary.json``.
        out: its folder, if it has one.
        already: the run had finished before.
        flags: options that going on needs again.
    """
    if summary["status"] == "interrupted":
        typer.echo(f"interrupted after {summary['examples']} examples")
        if out is not None:
            typer.echo(f"go on with: hil train --resume --out {out}{flags}")
        return
    if already:
        typer.echo(f"the run in {out} has finished; nothing to do")
    print_errors(summary)
    epochs = "1 epoch" if summary["epochs"] == 1 else f"{summary['epochs']} epochs"
    typer.echo(
        f"training     {summary['train_seconds']:.1f} s, "
        f"{summary['examples_per_second']:.0f} examples/s, {epochs}"
    )
    typer.echo(f"devices      {summary['devices']}, {summary['writes_per_device']:.0f} writes each")
    if summary["skipped_examples"]:
        typer.echo(f"not settled  {summary['skipped_examples']} training examples, left out")
    for bias in summary.get("wire_bias", []):
        _print_bias(bias)
    if out is None:
        typer.echo("nothing was kept; name a folder with --out DIR to evaluate or export the run")
    elif not already:
        typer.echo(f"run folder   {out}")


def _print_bias(bias: dict[str, Any]) -> None:
    cosine = bias["contrast_cosine"]
    typer.echo(
        f"wires        crossbar {bias['crossbar'] + 1}: drops at line ends off by "
        f"{_percent(bias['drop_error_percent'])}, gradients by "
        f"{_percent(bias['contrast_error_percent'])}"
        + ("" if cosine is None else f" (cosine {cosine:.4f})")
    )


def _percent(value: float | None) -> str:
    return "an undefined share" if value is None else f"{value:.3g} %"


def print_errors(result: dict[str, Any]) -> None:
    """Errors on the test and on the training part."""
    for part in ("test", "train"):
        percent = result[f"{part}_error_percent"]
        shown = "undefined: the targets do not vary" if percent is None else f"{percent:.3f} %"
        typer.echo(f"{part + ' error':12} {shown}")


def print_restored(restored: dict[str, Any]) -> None:
    """Devices that were not where a run had left them."""
    if restored["devices"]:
        typer.echo(
            f"devices      {restored['devices']} were up to {restored['farthest_siemens']:.3g} S "
            "away from where the run left them and were programmed back"
        )
    else:
        typer.echo(
            f"devices      where the run left them, within {restored['tolerance_siemens']:.3g} S"
        )
