"""One job, done: a pure function of the job."""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from hil.arrays import Floats
from hil.composition import Experiment, build, resolve
from hil.errors import HilError, UsageError
from hil.keeping import finite
from hil.study.jobs import Job, Outcome
from hil.substrate import LoadsConductance
from sim_backend.threads import limited

__all__ = ["attempt"]

_FIRST_STEPS = 3
_FIRST_EXAMPLES = 8

_one_at_a_time = threading.Lock()
"""Limits on threads hold for a process: of the threads of a cluster's worker one works."""


def attempt(job: Job) -> Outcome:
    """Do a job; what goes wrong becomes part of the outcome."""
    started = time.perf_counter()
    try:
        with _one_at_a_time:
            result, conductance = _perform(job)
    except HilError as error:
        # The same job would fail in the same way.
        return Outcome(job.key, error=error.message)
    except Exception:
        return Outcome(job.key, error=traceback.format_exc().strip(), again=True)
    return Outcome(job.key, result, conductance, time.perf_counter() - started)


def _perform(job: Job) -> tuple[dict[str, Any], Floats | None]:
    config = resolve(text=job.config_toml, source=job.key)
    directory = None if job.data_directory is None else Path(job.data_directory)
    with build(config, directory) as experiment:
        if job.rehearsal:
            _rehearse(experiment)
            return {}, None
        if job.conductance_siemens is None:
            experiment.train()
        else:
            _write(experiment, job.conductance_siemens)
        kept = experiment.conductance_siemens() if job.keep_conductance else None
        return _result(experiment), kept


def _write(experiment: Experiment, conductance_siemens: Floats) -> None:
    substrate = experiment.substrate
    if not isinstance(substrate, LoadsConductance):
        raise UsageError(
            f"conductances cannot be written to a {substrate.spec.kind} substrate, "
            "so nothing can be transferred to it"
        )
    # In double precision: a limit of the window rounded to single precision can lie outside.
    within = np.clip(conductance_siemens.astype(np.float64), *substrate.spec.window_siemens)
    substrate.load_conductance(within)


def _result(experiment: Experiment) -> dict[str, Any]:
    data, trainer, config = experiment.dataset, experiment.trainer, experiment.config
    with limited(config.threads):
        test = trainer.evaluate(data.test_inputs, data.test_targets)
    return {
        "test_error_percent": finite(test.error_percent),
        "test_cost_volts2": finite(test.cost_volts2),
        "unsettled_test_examples": test.unsettled,
        "epochs": trainer.place.epoch,
        "skipped_examples": trainer.place.skipped,
        "seed": config.seed,
    }


def _rehearse(experiment: Experiment) -> None:
    for _ in itertools.islice(experiment.steps(), _FIRST_STEPS):
        pass
    _write(experiment, experiment.conductance_siemens())
    data = experiment.dataset
    few = slice(_FIRST_EXAMPLES)
    with limited(experiment.config.threads):
        experiment.trainer.evaluate(data.test_inputs[few], data.test_targets[few])
