"""Runs that several test modules look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.composition import resolve
from hil.runs import train_run
from tests.cli.exports import RUNS, SHARED


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run folder of each of :data:`RUNS`; nobody writes into them."""
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for number, (name, (preset, changes)) in enumerate(RUNS.items()):
        made[name] = folder / str(number)
        train_run(resolve(preset, overrides=SHARED | changes), made[name])
    return made
