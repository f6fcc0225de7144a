"""Settings of the wires."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hil.errors import ConfigurationError
from sim_backend.wired.config import WiresConfig


def test_wires_are_ideal_unless_set() -> None:
    assert WiresConfig().is_ideal
    assert WiresConfig().of_crossbars(3) == ((0.0, 0.0),) * 3
    assert WiresConfig(word_ohms=(0.0, 0.0)).is_ideal
    assert not WiresConfig(bit_ohms=(0.0, 1.0)).is_ideal
    assert not WiresConfig(word_ohms=0.35).is_ideal


def test_one_value_serves_all_crossbars_and_several_one_each() -> None:
    wires = WiresConfig(word_ohms=0.5, bit_ohms=(1.0, 2.0))
    assert wires.of_crossbars(2) == ((0.5, 1.0), (0.5, 2.0))


def test_a_wrong_number_of_values_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="bit_ohms has 2 values for 3 crossbars"):
        WiresConfig(bit_ohms=(1.0, 2.0)).of_crossbars(3)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf"), (1.0, -1.0), True])
def test_what_is_no_resistance_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        WiresConfig.model_validate({"word_ohms": wrong})
