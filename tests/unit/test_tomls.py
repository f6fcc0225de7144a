"""Files that are no TOML, or have values that Python can hardly write."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from drivers.bench.config import EnvelopeConfig
from hil.errors import ConfigurationError
from hil.tomls import explain, parsed


def test_a_number_of_thousands_of_digits_is_one_message() -> None:
    with pytest.raises(ConfigurationError, match=r"^it has a whole number of several thousand"):
        parsed("a = " + "9" * 5000, "it")


def test_a_hexadecimal_one_can_be_told_of() -> None:
    values = parsed("read_volts = 0x" + "f" * 5000, "it")
    with pytest.raises(ValidationError) as caught:
        EnvelopeConfig.model_validate(values)
    told = explain("it", values, caught.value, "(whole)")
    assert "read_volts: Input should be a valid number (a number of very many digits)" in told
