"""Groups of resistors, written as a whole.

What is written is equal to the letter to the resistors written one by one; a crossbar of a
million devices is only too large to look at each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.elements import Element, Resistor, Resistors
from sim_backend.spice.names import plain_element

__all__ = ["nodes_of_group", "spread", "statements_of_group"]


def spread(elements: Sequence[Element]) -> list[Element]:
    """Elements, with groups one by one where a resistor needs a look at its name or value."""
    names = [_claimed(element).lower() for element in elements]
    found: list[Element] = []
    for element in elements:
        if isinstance(element, Resistors) and not _is_plain(element, names):
            found += element.singly()
        else:
            found.append(element)
    return found


def _claimed(element: Element) -> str:
    """How the names of an element or group begin: as written, if they may be those of resistors."""
    if isinstance(element, Resistors):
        return plain_element(f"{element.name}[", "r")
    return plain_element(element.name, "r") if isinstance(element, Resistor) else element.name


def _is_plain(group: Resistors, names: Sequence[str]) -> bool:
    """Whether all names can stay, and all conductances are 0 or have a reciprocal.

    Args:
        group: the group.
        names: those of all elements in lower case, see :func:`_claimed`; its own is one of them.
    """
    prefix = f"{group.name}["
    if plain_element(prefix, "r") != prefix:
        return False
    if sum(name.startswith(prefix.lower()) for name in names) > 1:
        return False
    siemens = np.asarray(group.siemens, float)
    with np.errstate(divide="ignore", over="ignore"):
        writable = (siemens > 0.0) & np.isfinite(siemens) & np.isfinite(1.0 / siemens)
    return bool(np.all(writable | (siemens == 0.0)))


def nodes_of_group(group: Resistors) -> list[str]:
    """Nodes in the order in which the resistors, one by one, name them first."""
    places = np.stack([group.plus, group.minus], axis=1).ravel()
    used, first = np.unique(places, return_index=True)
    return [group.nodes[place] for place in used[np.argsort(first)]]


def statements_of_group(group: Resistors, names: Mapping[str, str]) -> list[str]:
    """One statement a resistor; ``names`` are those of nodes."""
    nodes = [names.get(node, "") for node in group.nodes]
    ends = zip(group.plus.tolist(), group.minus.tolist(), _ohms(group.siemens), strict=True)
    return [
        f"{group.name}[{k}] {nodes[plus]} {nodes[minus]} {ohms}"
        if ohms
        else f"* {group.name}[{k}] {nodes[plus]} {nodes[minus]} is open"
        for k, (plus, minus, ohms) in enumerate(ends)
    ]


def _ohms(siemens: NDArray[np.float64]) -> list[str]:
    """What :func:`sim_backend.spice.terms.reciprocal` finds, as text; empty for 0 S."""
    wanted = np.asarray(siemens, float)
    with np.errstate(divide="ignore"):
        ohms = 1.0 / wanted
        near = np.stack([ohms, np.nextafter(ohms, 0.0), np.nextafter(ohms, np.inf)])
        exact = (near > 0.0) & (1.0 / near == wanted)
    texts = [repr(value) for value in ohms.tolist()]
    for k in np.flatnonzero(exact[1] | exact[2]):
        texts[k] = min((repr(value) for value in near[exact[:, k], k].tolist()), key=len)
    for k in np.flatnonzero(wanted == 0.0):
        texts[k] = ""
    return texts
