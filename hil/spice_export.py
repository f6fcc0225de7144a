"""A network of a run, with one example applied, as a netlist for other simulators."""

from __future__ import annotations

import contextlib
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hil.arrays import Floats, IntArray
from hil.composition import Experiment
from hil.errors import ConfigurationError, SettleError
from hil.keeping import configuration_digest
from hil.networks import open_network
from hil.topology import Crossbar, Topology
from sim_backend.drawing import DrawsCircuit
from sim_backend.nodal.elements import Resistors
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.writer import write_netlist

__all__ = ["Exported", "Phase", "export_netlist"]

Phase = Literal["free", "plus", "minus"]

_SIGNS: dict[str, float] = {"plus": 1.0, "minus": -1.0}
_COLUMNS = 96
"""Longest comment line."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        elements: how many, every resistor counted.
        description: of the network, the example and the phase.
    """

    elements: int
    description: str


def export_netlist(
    source: Path | str,
    target: Path,
    *,
    sample: int = 0,
    phase: Phase = "free",
    data_directory: Path | None = None,
) -> Exported:
    """Write the circuit that settles when one test example is applied.

    Args:
        source: a run folder, a configuration file or the name of a preset; see
            :func:`hil.networks.open_network`.
        target: the netlist to write, ending in ``.cir``; replaced whole or not at all.
        sample: which example of the test part, from 0.
        phase: ``free``, or nudged by ``plus`` or ``minus`` the beta of the configured estimator:
            a current ``-beta dC/dV`` into every output, frozen at the free state.
        data_directory: see :func:`hil.data.load_dataset`.

    Raises:
        ConfigurationError: no such source, sample or phase, the substrate does not draw itself,
            or the file cannot be written.
        RunFolderError: the run has neither ended nor left a checkpoint, or was damaged.
        DataError: the data cannot be loaded.
        SettleError: the example does not settle, so that there is no nudge.
    """
    if target.suffix != ".cir":
        raise ConfigurationError(f"cannot export to {target}: the name must end in .cir")
    if phase != "free" and phase not in _SIGNS:
        raise ConfigurationError(f"there is no phase {phase!r}; choose free, plus or minus")
    with _opened(source, data_directory) as experiment:
        text, exported = _netlist(experiment, sample, phase)
    _write(target, text)
    return exported


@contextlib.contextmanager
def _opened(source: Path | str, data_directory: Path | None) -> Iterator[Experiment]:
    try:
        experiment = open_network(source, data_directory)
    except ConfigurationError as error:
        if not error.evidence.get("is_bench"):
            raise
        raise ConfigurationError(
            f"{source} is of a bench, which cannot draw itself as a circuit, so there is no "
            "netlist to write; hil export writes what its devices ended at"
        ) from error
    with experiment:
        yield experiment


def _netlist(experiment: Experiment, sample: int, phase: Phase) -> tuple[str, Exported]:
    substrate, dataset = experiment.substrate, experiment.dataset
    kind = substrate.spec.kind
    if not isinstance(substrate, DrawsCircuit):
        raise ConfigurationError(
            f"a {kind} substrate cannot draw itself as a circuit, so there is no netlist to write; "
            "export a run of a simulated substrate"
        )
    n_samples = len(dataset.test_inputs)
    if not 0 <= sample < n_samples:
        raise ConfigurationError(
            f"there is no test example {sample}: {dataset.name} has {n_samples}, numbered from 0 "
            f"to {n_samples - 1}; choose one of them with --sample"
        )
    volts, nudge = _drive(experiment, sample, phase)
    circuit = substrate.circuit(volts, nudge)
    description = f"{dataset.name}, test example {sample}, {_phase(experiment, phase)}"
    try:
        text = write_netlist(replace(circuit, title=f"{kind} network: {description}"))
    except NetlistError as error:
        raise ConfigurationError(f"this network cannot be written as a netlist: {error}") from error
    title, rest = text.split("\n", 1)
    comments = _comments(experiment, phase, substrate.node_names())
    count = sum(e.siemens.size if isinstance(e, Resistors) else 1 for e in circuit.elements)
    return "\n".join([title, *comments, rest]), Exported(count, description)


def _drive(experiment: Experiment, sample: int, phase: Phase) -> tuple[Floats, Floats | None]:
    """Input voltages (n_inputs,) and, in a nudged phase, nudge currents (n_outputs,)."""
    trainer, dataset = experiment.trainer, experiment.dataset
    volts = trainer.inputs.encode(dataset.test_inputs[sample : sample + 1])
    if phase == "free":
        return volts[0], None
    targets = trainer.targets.encode(dataset.test_targets[sample : sample + 1])
    free = trainer.scheduler.free(experiment.substrate, volts, targets)
    if not free.settled.ok[0]:
        raise SettleError(
            f"test example {sample} does not settle freely, and the nudge is that of the free "
            "state; export the free phase, or raise substrate.max_iterations or "
            "substrate.tolerance"
        )
    signed = _SIGNS[phase] * trainer.scheduler.beta_siemens
    return volts[0], (free.nudge_volts.dtype.type(signed) * free.nudge_volts)[0]


def _phase(experiment: Experiment, phase: Phase) -> str:
    if phase == "free":
        return "free phase"
    sign = "+" if phase == "plus" else "-"
    return f"nudged, beta = {sign}{experiment.trainer.scheduler.beta_siemens!r} S"


def _comments(experiment: Experiment, phase: Phase, names: Sequence[str]) -> Iterator[str]:
    """Comment lines about where the netlist is from and which node is which."""
    config = experiment.config
    remarks = [
        "Written by hil export-spice (eqprop-hil).",
        f"Experiment: {config.description or 'without description'}",
        f"Configuration: sha256 {configuration_digest(config)}",
    ]
    if phase != "free":
        remarks.append(
            "Each current source at an output injects -beta dC/dV, with dC/dV of the free state."
        )
    for remark in [*remarks, *_node_list(experiment.substrate.spec.topology, names)]:
        plain = "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in remark)
        for line in textwrap.wrap(
            plain, _COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        ):
            yield f"* {line}"


def _node_list(topology: Topology, names: Sequence[str]) -> Iterator[str]:
    for role, nodes in (
        ("Inputs", topology.inputs), ("Hidden", topology.hidden), ("Outputs", topology.outputs),
    ):  # fmt: skip
        yield f"{role} ({nodes.size}): {_compact(names, nodes) or 'none'}"
    crossbars = [group for group in topology.groups if isinstance(group, Crossbar)]
    for k, group in enumerate(crossbars):
        rows, columns = _compact(names, group.tails), _compact(names, group.heads)
        yield f"Crossbar {k} ({group.n_devices} devices): {rows} by {columns}"


def _compact(names: Sequence[str], nodes: IntArray) -> str:
    """Names in their order; runs of names with consecutive numbers as ``n3..n17``."""
    runs: list[list[str]] = []
    before: tuple[str, int] | None = None
    for node in nodes:
        name = names[node]
        match = re.fullmatch(r"(.*?)(0|[1-9]\d*)", name)
        this = None if match is None else (match[1], int(match[2]))
        if this is not None and before == (this[0], this[1] - 1):
            runs[-1][1:] = [name]
        else:
            runs.append([name])
        before = this
    return " ".join("..".join(run) for run in runs)


def _write(target: Path, text: str) -> None:
    """Write beside the target and replace it, so that a failure leaves what was there."""
    scratch = target.with_name(f".{target.name}.new")
    try:
        scratch.write_bytes(text.encode("ascii"))
        os.replace(scratch, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
