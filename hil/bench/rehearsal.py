"""What training on a bench would send, without sending it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drivers.bench.config import BenchConfig
from hil.bench.reaching import emulated, told
from hil.composition import ExperimentConfig, build
from hil.errors import ConfigurationError
from hil.keeping import substrate_arrays

__all__ = ["rehearse", "spelled"]


def rehearse(
    config: ExperimentConfig,
    tell: Callable[[str, str, bytes], None],
    data_directory: Path | None = None,
    recorded: bool = False,
) -> dict[str, int]:
    """Open the bench, train the first batch and shut down, on emulated instruments.

    Levels that follow from readings, such as nudges and pulses, are those of the emulated ones.

    Args:
        config: of a bench.
        tell: is told the name and address of an instrument and a message to it, in order.
        data_directory: see :func:`hil.data.load_dataset`.
        recorded: start conductances are read too, as for a run folder.

    Returns:
        How many messages each instrument would get.

    Raises:
        ConfigurationError: the experiment is not of a bench, or does not fit it.
        HilError: the bench would refuse.
    """
    if not isinstance(config.substrate, BenchConfig):
        raise ConfigurationError(
            "--dry-run shows the messages of a bench; name one with --bench BENCH.toml"
        )
    counts = dict.fromkeys(config.substrate.instruments, 0)

    def noted(name: str, address: str, message: bytes) -> None:
        counts[name] += 1
        tell(name, address, message)

    with build(config, data_directory, reach=told(emulated, noted)) as experiment:
        if recorded:
            substrate_arrays(experiment.substrate)
        for _ in experiment.steps():
            break
    return counts


def spelled(message: bytes) -> str:
    """A message on one line: blocks by their length, line ends and the like escaped."""
    if not message:
        return "<line end>"
    head, block, length = _split_block(message)
    text = head.decode("latin-1").encode("unicode_escape").decode("ascii")
    return f"{text}#<block of {length} bytes>" if block else text


def _split_block(message: bytes) -> tuple[bytes, bool, int]:
    """What stands before an IEEE 488.2 block, whether there is one, and its length."""
    at = message.find(b"#")
    while at >= 0:
        n = message[at + 1 : at + 2]
        if n.isdigit() and n != b"0":
            digits = message[at + 2 : at + 2 + int(n)]
            if digits.isdigit() and len(message) >= at + 2 + int(n) + int(digits):
                return message[:at], True, int(digits)
        at = message.find(b"#", at + 1)
    return message, False, 0
