"""Netlists that train: a circuit from a file, with a table of what is what in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from hil.arrays import Floats
from hil.errors import ConfigurationError
from hil.topology import Edges, Topology
from sim_backend.graph.adapter import NodalSubstrate, Wiring
from sim_backend.graph.amplifiers import recognise
from sim_backend.graph.config import WindowConfig
from sim_backend.layered.config import UniformConfig
from sim_backend.nodal.elements import GROUND, Circuit, Resistor, VoltageSource
from sim_backend.order import Order
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.files import gather, read_text
from sim_backend.spice.reader import parse_netlist, read_netlist

__all__ = ["NetlistConfig", "inline"]

Name = Annotated[str, Field(min_length=1)]


class NetlistConfig(WindowConfig):
    """A netlist in the language of SPICE, some of whose resistors are programmable."""

    kind: Literal["netlist"] = "netlist"
    file: Name | None = Field(
        default=None, description="The netlist, relative to the configuration file; it is copied "
        "into text, so that a run can be repeated without it.",
    )  # fmt: skip
    text: Name | None = Field(default=None, description="The netlist itself.")
    inputs: tuple[Name, ...] = Field(
        min_length=1, description="Voltage sources to ground that carry the input lines, in order."
    )
    outputs: tuple[Name, ...] = Field(
        min_length=1, description="Nodes that are read and nudged, in order."
    )
    trainable: tuple[Name, ...] = Field(
        min_length=1, description="Programmable resistors by name; * and ? stand for any "
        "characters. Every entry is a group with a rate of its own.",
    )  # fmt: skip
    initial: UniformConfig | None = Field(
        default=None, description="Distribution of the start conductances; the netlist's values "
        "if omitted.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_netlist(self) -> NetlistConfig:
        if (self.file is None) == (self.text is None):
            raise ValueError("give the netlist as file, or as text")
        return self

    @property
    def n_crossbars(self) -> int:
        """How many pairs of bias lines there can be; they count as inputs."""
        return 1

    @property
    def n_groups(self) -> int:
        """How many groups of devices have a rate of their own."""
        return len(self.trainable)

    def exact(self, order: Order) -> NodalSubstrate:
        """See :meth:`sim_backend.imperfections.ImperfectConfig.exact`.

        Raises:
            ConfigurationError: the netlist is wrong, or the table does not fit it or the data.
        """
        self._check_counts(order.n_signals + 2 * sum(order.biased), order.n_outputs)
        circuit = recognise(_read(self.file, self.text))
        sources = {e.name: e for e in circuit.elements if isinstance(e, VoltageSource)}
        input_nodes = [_input_node(name.lower(), sources) for name in self.inputs]
        groups = _select(self.trainable, circuit)
        names, topology = _topology(circuit, input_nodes, self.outputs, groups)
        wiring = Wiring(
            names,
            tuple(name.lower() for name in self.inputs),
            tuple(resistor.name for group in groups for resistor in group),
        )
        if self.initial is None:
            start: Floats = np.array([r.siemens for group in groups for r in group])
        else:
            start = self.start(self.initial, topology.n_devices, order.rng)
        return self.place(circuit, topology, wiring, start, order)

    def _check_counts(self, n_inputs: int, n_outputs: int) -> None:
        for what, names, needed in (
            ("inputs", self.inputs, n_inputs),
            ("outputs", self.outputs, n_outputs),
        ):
            if len(names) != needed:
                raise ConfigurationError(
                    f"substrate.{what} names {len(names)} of them, but the data and the encoding "
                    f"need {needed} (encoding.doubled doubles the inputs, a bias pair adds two, "
                    "cost.paired doubles the outputs)"
                )


def inline(values: dict[str, Any], folder: Path) -> None:
    """Put the netlist that a substrate table names into it, with all it includes.

    Args:
        values: the table; ``file`` becomes ``text``.
        folder: what the file is relative to.

    Raises:
        ConfigurationError: it cannot be read or is no netlist, with its line.
    """
    file = values.get("file")
    if values.get("kind") != "netlist" or not isinstance(file, str) or "text" in values:
        return
    path = folder / file
    _read(str(path), None)
    statements = gather(read_text(path), path)
    lines = [f"* {statements.title.lstrip('*').strip()}", *(s.text for s in statements.lines)]
    values["text"] = "\n".join(lines) + "\n"
    del values["file"]


def _read(file: str | None, text: str | None) -> Circuit:
    try:
        netlist = parse_netlist(text or "") if file is None else read_netlist(Path(file))
    except NetlistError as error:
        raise ConfigurationError(f"substrate netlist: {error}", path=file or "") from error
    return netlist.circuit


def _input_node(name: str, sources: dict[str, VoltageSource]) -> str:
    source = sources.get(name)
    if source is None:
        raise ConfigurationError(
            f"substrate.inputs: the netlist has no voltage source {name}; it has "
            f"{_some(list(sources))}"
        )
    if GROUND not in (source.plus, source.minus):
        raise ConfigurationError(
            f"substrate.inputs: {name} lies between nodes {source.plus} and {source.minus}; an "
            "input line is a voltage source to ground (node 0)"
        )
    return source.plus if source.minus == GROUND else source.minus


def _select(trainable: tuple[str, ...], circuit: Circuit) -> list[list[Resistor]]:
    """Resistors of each entry, in the order of the netlist."""
    resistors = {e.name: e for e in circuit.elements if isinstance(e, Resistor)}
    taken: set[str] = set()
    groups = []
    for entry in trainable:
        # Brackets are parts of names, as in those of exported networks.
        wild = re.escape(entry.lower()).replace(r"\*", ".*").replace(r"\?", ".")
        pattern = re.compile(wild, re.DOTALL)
        chosen = [resistor for name, resistor in resistors.items() if pattern.fullmatch(name)]
        if not chosen:
            raise ConfigurationError(
                f"substrate.trainable: no resistor is called {entry}; the netlist has "
                f"{_some(list(resistors))}"
            )
        twice = [resistor.name for resistor in chosen if resistor.name in taken]
        if twice:
            raise ConfigurationError(
                f"substrate.trainable: {twice[0]} belongs to two entries; a device is in one group"
            )
        taken |= {resistor.name for resistor in chosen}
        groups.append(chosen)
    return groups


def _topology(
    circuit: Circuit,
    input_nodes: list[str],
    outputs: tuple[str, ...],
    groups: list[list[Resistor]],
) -> tuple[tuple[str, ...], Topology]:
    """All nodes of the circuit by name, ground where a device ends there, and their roles."""
    names: dict[str, int] = {}
    for element in circuit.elements:
        for field in ("plus", "minus", "anode", "cathode", "input", "output"):
            node = getattr(element, field, GROUND)
            if node != GROUND:
                names.setdefault(node, len(names))
    if any(GROUND in (r.plus, r.minus) for group in groups for r in group):
        names[GROUND] = len(names)
    missing = [node for node in outputs if node.lower() not in names]
    if missing or GROUND in outputs:
        raise ConfigurationError(
            f"substrate.outputs: the netlist has no node {(missing or [GROUND])[0]} that can be "
            f"read; it has {_some(list(names))}"
        )
    edges = tuple(
        Edges(
            np.array([names[r.plus] for r in group], np.intp),
            np.array([names[r.minus] for r in group], np.intp),
        )
        for group in groups
    )
    inputs = np.array([names[node] for node in input_nodes], np.intp)
    read = np.array([names[node.lower()] for node in outputs], np.intp)
    return tuple(names), Topology(len(names), inputs, read, edges)


def _some(names: list[str]) -> str:
    """The first few of them, for a message."""
    shown = ", ".join(names[:8]) or "none"
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
