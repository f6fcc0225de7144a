"""Runs on chips go on with the same bits from a checkpoint, and from their final state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.composition import Experiment, build, resolve
from hil.errors import RunFolderError, UsageError
from hil.keeping import close_folder, load_substrate, open_folder, save, substrate_arrays, summarise
from hil.record import RunFolder
from sim_backend.chip.config import DevicesConfig, window_of
from sim_backend.chip.making import chip_around
from sim_backend.lot import Lot
from tests.contract.test_chip_contract import BOUNDED
from tests.unit.chip.chips import devices

CONFIG = {
    "epochs": 2,
    "batch_size": 5,
    "substrate.hidden": [4],
    "substrate.g_min_siemens": 1e-9,
    "substrate.g_max_siemens": 1.0,
    "rule.rates": [0.05],
}
"""A window wide enough for all that devices are seen as."""

BATCHES = 12

KINDS: dict[str, tuple[DevicesConfig | None, float]] = {
    "everything": (devices(BOUNDED["everything"]), 0.0),
    "published": (devices("reram-es"), 0.0),
    "fixed errors": (None, 0.3),
}


def experiment(kind: str, noise_seed: int = 0) -> Experiment:
    """Iris on a chip; ``noise_seed`` stands for whatever happened before."""
    found = build(resolve("iris", overrides=CONFIG))
    table, spread = KINDS[kind]
    window = window_of(table, 1e-5, 2e-3)
    rng = np.random.default_rng(noise_seed)
    inner: Any = found.substrate
    found.substrate = chip_around(inner, table, spread, Lot((5,)), rng, window)
    found.trainer.substrate = found.substrate
    return found


def train(some: Experiment, batches: int) -> None:
    for k, _ in enumerate(some.steps(), 1):
        if k == batches:
            return


def assert_same(some: Experiment, other: Experiment) -> None:
    one, two = substrate_arrays(some.substrate), substrate_arrays(other.substrate)
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_has_the_bits_of_one_that_was_never_stopped(
    kind: str, tmp_path: Path
) -> None:
    straight = experiment(kind)
    train(straight, BATCHES)
    folder = RunFolder(tmp_path)
    stopped = experiment(kind)
    open_folder(stopped, folder)
    train(stopped, BATCHES // 2)
    save(stopped, folder)
    train(stopped, 1)  # what was done after the checkpoint is lost
    resumed = experiment(kind, noise_seed=99)
    open_folder(resumed, folder)
    train(resumed, BATCHES - BATCHES // 2)
    assert_same(straight, resumed)
    assert straight.evaluate() == resumed.evaluate()
    assert np.count_nonzero(substrate_arrays(straight.substrate)["write_counts"]) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_run_is_evaluated_as_it_was(kind: str, tmp_path: Path) -> None:
    trained = experiment(kind)
    folder = RunFolder(tmp_path)
    open_folder(trained, folder)
    train(trained, 3)
    final = substrate_arrays(trained.substrate)
    test, training = trained.evaluate()
    close_folder(folder, summarise(trained, "finished", test, training), final)
    again = experiment(kind, noise_seed=99)
    load_substrate(again.substrate, folder.read_group("final"))
    assert again.evaluate() == (test, training)


def test_a_checkpoint_without_the_state_of_its_chip_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    stopped = experiment("published")
    open_folder(stopped, folder)
    train(stopped, 1)
    save(stopped, folder)
    checkpoint = folder.read_checkpoint()
    assert checkpoint is not None
    for name in [name for name in checkpoint.arrays if name.startswith("state/")]:
        del checkpoint.arrays[name]
    folder.write_checkpoint(checkpoint)
    with pytest.raises(RunFolderError, match="not one of programmable devices"):
        open_folder(experiment("published"), folder)
    with pytest.raises(RunFolderError, match="no group_of_mine"):
        folder.read_group("group_of_mine")


def test_a_state_of_another_chip_is_refused_and_nothing_loaded() -> None:
    one, other = experiment("everything"), experiment("published")
    train(one, 1)
    before = substrate_arrays(one.substrate)
    with pytest.raises(UsageError, match="nothing was loaded"):
        one.substrate.load_state(other.substrate.state_arrays())
    for name, values in substrate_arrays(one.substrate).items():
        np.testing.assert_array_equal(values, before[name])
