"""The network of a run, a configuration file or a preset, opened by one word."""

from __future__ import annotations

from pathlib import Path

from hil.composition import Experiment, build, preset_names, resolve
from hil.errors import ConfigurationError, RunFolderError, UsageError
from hil.keeping import configuration_digest, load_substrate
from hil.record import Checkpoint, RunFolder
from hil.runs import kept_config, load_run

__all__ = ["open_network"]


def open_network(source: Path | str, data_directory: Path | None = None) -> Experiment:
    """The experiment of a run folder, a TOML file or a preset.

    A run has the conductances it ended with or, if it was interrupted, those of its checkpoint;
    the others have their start conductances.

    Raises:
        ConfigurationError: there is no such thing, or it cannot be built.
        RunFolderError: the run has neither ended nor left a checkpoint, or was damaged.
        DataError: the data cannot be loaded.
    """
    path = Path(source)
    folder = RunFolder(path)
    name = str(source)
    if path.is_dir() and (name not in preset_names() or folder.read_config() is not None):
        checkpoint = folder.read_checkpoint()
        if checkpoint is None:
            return load_run(path, data_directory)
        return _interrupted(folder, checkpoint, data_directory)
    if path.is_file():
        return build(resolve(file=path), data_directory)
    if name in preset_names():
        return build(resolve(name), data_directory)
    raise ConfigurationError(
        f"there is no run folder, configuration file or preset {name}; check the path, "
        "or see: hil presets"
    )


def _interrupted(
    folder: RunFolder, checkpoint: Checkpoint, data_directory: Path | None
) -> Experiment:
    """The experiment of a run that has not ended, with the conductances of its checkpoint."""
    path = folder.path
    config = resolve(text=kept_config(folder), source=str(path / "config.toml"))
    if checkpoint.values.get("config_sha256") != configuration_digest(config):
        raise RunFolderError(
            f"the checkpoint in {path} belongs to another configuration: config.toml was changed "
            "since; restore it",
            path=str(path),
        )
    experiment = build(config, data_directory, folder.read_chip())
    try:
        load_substrate(experiment.substrate, checkpoint.arrays)
    except (KeyError, UsageError) as error:
        experiment.substrate.close()
        raise RunFolderError(
            f"the checkpoint in {path} is damaged ({error}); train again into another folder",
            path=str(path),
        ) from error
    return experiment
