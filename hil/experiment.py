"""The configuration of an experiment: the models of all packages joined into one."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from drivers.bench.config import BenchConfig
from hil.config import (
    CostConfig,
    EncodingConfig,
    EstimatorConfig,
    RuleConfig,
    ScheduleConfig,
)
from hil.data.config import DataConfig
from hil.model import Model
from sim_backend.graph.config import NodalConfig
from sim_backend.graph.netlist import NetlistConfig
from sim_backend.layered.config import LayeredConfig

__all__ = ["ExperimentConfig", "SubstrateConfig"]

SubstrateConfig: TypeAlias = Annotated[
    LayeredConfig | NodalConfig | NetlistConfig | BenchConfig, Field(discriminator="kind")
]


class ExperimentConfig(Model):
    """One experiment, complete: equal configurations give equal runs."""

    description: str = Field(default="", description="For people.")
    epochs: int = Field(ge=1, le=10**6, description="Passes over the training part.")
    batch_size: int = Field(ge=1, le=10**9, description="Examples whose gradients are averaged.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Of everything random.")
    precision: Literal["float32", "float64"] = Field(default="float32", description="Of arrays.")
    threads: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Blocks that large steps are split into, and the most threads that work on "
        "them; fewer are used while that is faster. Results depend on the number of blocks "
        "in their last bits, not on the machine.",
    )
    data: DataConfig
    encoding: EncodingConfig
    cost: CostConfig
    estimator: EstimatorConfig
    rule: RuleConfig
    schedule: ScheduleConfig
    substrate: SubstrateConfig

    @model_validator(mode="after")
    def _consistent(self) -> ExperimentConfig:
        crossbars = self.substrate.n_crossbars
        if len(self.encoding.bias_volts) not in (1, crossbars):
            raise ValueError(
                f"encoding.bias_volts has {len(self.encoding.bias_volts)} values for {crossbars} "
                "crossbars; give one, or one each"
            )
        return self
