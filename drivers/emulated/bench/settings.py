"""The table ``emulation`` of a bench file: what an emulated bench has in its sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from drivers.bench.config import BenchConfig
from hil.errors import ConfigurationError
from hil.model import Model, NotNegative, Positive
from sim_backend.layered.config import LayeredConfig
from sim_backend.layered.neurons import IdealDiodes, Neurons, ShockleyPairs

__all__ = ["EmulationConfig", "emulation_of", "substrate_of"]

ModelT = TypeVar("ModelT", bound=BaseModel)

_CLOSE = 1e-9


class EmulationConfig(Model):
    """An emulated bench, as far as its bench file does not say it already."""

    substrate: dict[str, Any] = Field(
        default_factory=dict,
        description="As the table substrate of an experiment, of kind layered; what the bench "
        "file says of its network is filled in.",
    )
    noise: Literal["data_sheet", "none"] = Field(
        default="data_sheet", description="Errors and noise of the instruments."
    )
    models: dict[str, str] = Field(
        default_factory=dict,
        description="Model of an instrument within its family, such as in1 = 2602B.",
    )
    cards: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="For a switching mainframe, its cards by slot; in a 3706A by default 3730 in "
        "slots 1 to 3 and 3740 in 4 and 5, in a 707B 7174A.",
    )
    switch_ohms: NotNegative = Field(default=0.0, description="Of a closed crosspoint.")
    soft_ground_ohms: Positive = Field(default=1e6, description="From the bus soft to ground.")
    node_farads: NotNegative | None = Field(
        default=None, description="Capacitance of a node; as network.node_farads if omitted."
    )
    full_pulse_share: Annotated[float, Field(gt=0.5, le=1)] = Field(
        default=0.75,
        description="Share of the amplitude from which on a device is programmed by a pulse; "
        "lower drops only disturb, if devices.disturb says so.",
    )


def emulation_of(config: BenchConfig) -> EmulationConfig:
    """The table, checked.

    Raises:
        ConfigurationError: an unknown key, a value out of range, or an instrument that the bench
            file does not have.
    """
    found = _validated("emulation", EmulationConfig.model_validate, config.emulation)
    for table in ("models", "cards"):
        for name in getattr(found, table):
            if name not in config.instruments:
                known = ", ".join(config.instruments) or "none"
                raise ConfigurationError(
                    f"emulation.{table}: there is no instrument {name!r}; there are: {known}"
                )
    return found


def substrate_of(config: BenchConfig, emulation: EmulationConfig) -> LayeredConfig:
    """The simulated network that is in the sockets.

    Raises:
        ConfigurationError: it cannot be used, or contradicts what the bench file says of it.
    """
    table = dict(emulation.substrate)
    if table.get("kind", "layered") != "layered":
        raise ConfigurationError(
            f"emulation.substrate.kind is {table['kind']!r}; an emulated bench has a layered one"
        )
    known = _known(config)
    known.setdefault("initial", _initial(config))
    values = known | {"kind": "layered"} | table
    substrate = _validated("emulation.substrate", LayeredConfig.model_validate, values)
    wrong = [*_contradictions(config, substrate), *_missing_here(config, substrate)]
    if wrong:
        raise ConfigurationError("emulation.substrate: " + "; ".join(wrong))
    return substrate


def _known(config: BenchConfig) -> dict[str, Any]:
    network = config.network
    known: dict[str, Any] = {
        "hidden": network.hidden,
        "g_min_siemens": network.g_min_siemens,
        "g_max_siemens": network.g_max_siemens,
        "pulse_siemens": network.pulse_siemens,
    }
    if network.amplifiers is not None:
        known["amplifiers"] = network.amplifiers.model_dump()
    return known


def _initial(config: BenchConfig) -> dict[str, Any]:
    return {"kind": "rectified_uniform", "scale_siemens": [config.network.g_max_siemens]}


def _contradictions(config: BenchConfig, substrate: LayeredConfig) -> Iterator[str]:
    """What the bench file says otherwise."""
    network = config.network
    if substrate.hidden != network.hidden:
        yield f"hidden is {substrate.hidden}, network.hidden is {network.hidden}"
    for name in ("g_min_siemens", "g_max_siemens", "pulse_siemens"):
        here, there = getattr(substrate, name), getattr(network, name)
        if abs(here - there) > _CLOSE * there:
            yield f"{name} is {here:.6g}, network.{name} is {there:.6g}"
    gains = [
        None if part is None else (part.forward_gain, part.backward_gain)
        for part in (substrate.amplifiers, network.amplifiers)
    ]
    if gains[0] != gains[1]:
        yield f"amplifiers have the gains {gains[0]}, network.amplifiers {gains[1]}"
    volts = _largest_volts(substrate.neurons.build(1))
    if volts > network.neuron_volts * (1.0 + _CLOSE):
        yield (
            f"the sources of the neurons have up to {volts:.4g} V, network.neuron_volts is "
            f"{network.neuron_volts:.4g}"
        )


def _missing_here(config: BenchConfig, substrate: LayeredConfig) -> Iterator[str]:
    """What an emulated bench does not have."""
    if not substrate.wires.is_ideal:
        yield "resistance of lines (wires) is not emulated on a bench; leave it out"
    devices = substrate.devices
    if config.phases.kind == "board":
        return
    if not substrate.board.is_off:
        yield "a bench wired with SMUs has no board; leave board out"
    if devices is None:
        return
    if devices.access is not None:
        yield "a bench wired with SMUs has no gate lines; leave devices.access out"
    if not devices.read_noise.build().silent:
        yield "read noise of devices is not emulated with SMUs; leave devices.read_noise out"
    if devices.disturb.read_share > 0.0:
        yield "disturbance by phases is not emulated with SMUs: leave disturb.read_share at 0"


def _largest_volts(neurons: Neurons) -> float:
    match neurons:
        case IdealDiodes():
            limits = (neurons.lower_volts, neurons.upper_volts)
        case ShockleyPairs():
            limits = (neurons.lower_volts, neurons.upper_volts)
        case _:
            return 0.0
    volts = np.abs(np.concatenate(limits))
    return float(volts[np.isfinite(volts)].max(initial=0.0))


def _validated(
    where: str, validate: Callable[[Mapping[str, Any]], ModelT], values: Mapping[str, Any]
) -> ModelT:
    try:
        return validate(values)
    except ValidationError as error:
        lines = [f"{where} cannot be used:"]
        for problem in error.errors():
            path = ".".join((where, *map(str, problem["loc"])))
            text = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                text = "there is no such key"
            lines.append(f"  {path}: {text}")
        raise ConfigurationError("\n".join(lines)) from error
