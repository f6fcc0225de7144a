"""Configuration models for the choice of a data set."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from hil.data.prepare import Scale
from hil.data.targets import Task
from hil.model import Model

__all__ = [
    "DataConfig",
    "DigitsConfig",
    "FileConfig",
    "IrisConfig",
    "MnistConfig",
    "XorConfig",
]


class _DataModel(Model):
    """What all data configurations share."""

    holdout: int = Field(
        default=0,
        ge=0,
        description="If above 0, test on the last so many training examples instead of the "
        "test part: for choosing settings.",
    )


class DigitsConfig(_DataModel):
    """The packaged 8x8 digits; see :func:`hil.data.builtin.load_digits`."""

    kind: Literal["digits"] = "digits"


class IrisConfig(_DataModel):
    """The packaged iris flowers; see :func:`hil.data.builtin.load_iris`."""

    kind: Literal["iris"] = "iris"


class XorConfig(_DataModel):
    """The four patterns of exclusive or; see :func:`hil.data.builtin.load_xor`."""

    kind: Literal["xor"] = "xor"


class MnistConfig(_DataModel):
    """A folder of MNIST-like IDX files; see :func:`hil.data.idx.load_mnist`."""

    kind: Literal["mnist"] = "mnist"
    directory: str | None = Field(
        default=None,
        description="Folder that directly holds the four files; --data DIR takes precedence "
        "and HIL_DATA is used if neither is given.",
    )
    train_examples: int | None = Field(
        default=None, ge=1, description="Use only the first so many training images."
    )
    test_examples: int | None = Field(
        default=None, ge=1, description="Use only the first so many test images."
    )


class FileConfig(_DataModel):
    """A user's csv or npz file; see :class:`hil.data.tabular.TableOptions`."""

    kind: Literal["file"] = "file"
    path: str = Field(min_length=1, description="The .csv or .npz file.")
    test_fraction: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the examples drawn as the test part."
    )
    split_seed: int = Field(default=0, ge=0, description="Seed of the draw of the test part.")
    task: Task | None = Field(
        default=None, description="What the targets are; decided by their type if omitted."
    )
    scale: Scale = Field(
        default="none", description="Feature scaling by the range of the training part."
    )
    target_columns: tuple[str, ...] | None = Field(
        default=None, description="Names of the target columns (csv); the last one if omitted."
    )


DataConfig: TypeAlias = Annotated[
    DigitsConfig | IrisConfig | XorConfig | MnistConfig | FileConfig,
    Field(discriminator="kind"),
]
