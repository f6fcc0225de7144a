"""What a run left behind, taken up again: its experiment with its last conductances."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from drivers.bench.config import BenchConfig
from hil.bench.reaching import Reach
from hil.composition import Experiment, ExperimentConfig, build, resolve
from hil.errors import RunFolderError, UsageError
from hil.keeping import Restored, finite, load_substrate
from hil.record import RunFolder

__all__ = ["check_final", "evaluate_run", "kept_config", "load_run"]


def load_run(
    path: Path | str, data_directory: Path | None = None, reach: Reach | None = None
) -> Experiment:
    """The experiment of a finished run with its final conductances.

    Args:
        path: the run folder.
        data_directory: see :func:`hil.data.load_dataset`.
        reach: the way to a bench's instruments, see :func:`hil.composition.build`; devices found
            elsewhere than the run left them are programmed back.

    Raises:
        RunFolderError: not a run folder, or the run has not finished.
        DataError: the data cannot be loaded.
        HilError: a bench failed; it was made safe.
    """
    return _loaded(path, data_directory, reach)[0]


def _loaded(
    path: Path | str, data_directory: Path | None, reach: Reach | None
) -> tuple[Experiment, Restored | None]:
    folder = RunFolder(Path(path))
    text = kept_config(folder)
    config = resolve(text=text, source=str(folder.path / "config.toml"))
    check_final(folder, config)
    final = folder.read_group("final")
    experiment = build(config, data_directory, folder.read_chip(), reach)
    try:
        return experiment, load_substrate(experiment.substrate, final)
    except (KeyError, UsageError) as error:
        experiment.substrate.close()
        raise RunFolderError(
            f"the conductances in {path} do not fit its configuration ({error}); "
            "config.toml or arrays.h5 was changed since",
            path=str(path),
        ) from error
    except BaseException:
        experiment.substrate.close()
        raise


def check_final(folder: RunFolder, config: ExperimentConfig) -> None:
    """A finished run has conductances, unless it ran on a bench that reaches no single device.

    Raises:
        RunFolderError: they are missing.
    """
    if not isinstance(config.substrate, BenchConfig) or config.substrate.access is not None:
        folder.read_array("final/conductance_siemens")


def kept_config(folder: RunFolder) -> str:
    """The configuration (TOML) that a run folder keeps.

    Raises:
        RunFolderError: it has none.
    """
    text = folder.read_config()
    if text is None:
        raise RunFolderError(
            f"{folder.path} is not a run folder: it has no config.toml; name a folder that "
            "`hil train --out` made",
            path=str(folder.path),
        )
    return text


def evaluate_run(
    path: Path | str, data_directory: Path | None = None, reach: Reach | None = None
) -> dict[str, Any]:
    """Errors of a finished run's conductances, evaluated anew.

    Args:
        path: see :func:`load_run`.
        data_directory: see :func:`load_run`.
        reach: see :func:`load_run`.

    Raises:
        HilError: see :func:`load_run`.
    """
    experiment, restored = _loaded(path, data_directory, reach)
    with experiment:
        test, train = experiment.evaluate()
    found: dict[str, Any] = {
        "test_error_percent": finite(test.error_percent),
        "train_error_percent": finite(train.error_percent),
        "unsettled_test_examples": test.unsettled,
    }
    return found if restored is None else found | {"restored": asdict(restored)}
