"""Numbers with suffixes: their values, what is ambiguous, and ngspice's opinion."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.numbers import parse_number
from sim_backend.spice.reader import parse_netlist
from tests.unit.spice.oracle import needs_ngspice, ngspice

VALUES = {
    "5": 5.0, "5.": 5.0, ".5": 0.5, "+5": 5.0, "-5": -5.0, "1e3": 1e3, "1e+3": 1e3, "1e-3v": 1e-3,
    "1t": 1e12, "1g": 1e9, "1meg": 1e6, "1megohm": 1e6, "1k": 1e3, "1kohm": 1e3, "10kohm": 1e4,
    "1m": 1e-3, "1ma": 1e-3, "1mohm": 1e-3, "1me": 1e-3, "1mi": 1e-3, "1u": 1e-6, "1uamp": 1e-6,
    "1n": 1e-9, "1p": 1e-12, "1f": 1e-15, "1farad": 1e-15, "1mil": 25.4e-6, "2mils": 50.8e-6,
    "1v": 1.0, "1ohm": 1.0, "1hz": 1.0, "1s": 1.0, "1e3k": 1e6, "2.5e-3k": 2.5, "1.e2": 100.0,
    "1.11ev": 1.11, "90deg": 90.0, "3db": 3.0, "1e-400": 0.0, "0k": 0.0, "1e0000003": 1e3,
    "123456789012345678901234567890": 123456789012345678901234567890.0,
}  # fmt: skip

REFUSED = {
    "": "not a number", "k": "not a number", ".": "not a number", "-": "not a number",
    "--5": "not a number", "1,5": "not a number", "0x10": "suffix", "1_000": "not a number",
    "1.2.3": "after its suffix", "1e3.5": "after its suffix", "5%": "not a number",
    "nan": "not a number", "inf": "not a number", "1k5": "after its suffix",
    "4k7": "after its suffix", "1u5": "after its suffix", "1a": "ambiguous", "5amp": "ambiguous",
    "1x": "meg", "1e": "exponent", "1ex": "exponent", "1d3": "after its suffix", "1d": "exponent",
    "2milli": "mil", "1e400": "range", "1e300t": "range", "1e0000000000003": "digits",
    "1 k": "not a number", "\u0663": "not a number",
}  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    assert parse_number(text) == VALUES[text]


@pytest.mark.parametrize("text", REFUSED)
def test_refusals(text: str) -> None:
    with pytest.raises(NetlistError, match=REFUSED[text]):
        parse_number(text)


def test_mil_is_refused_in_expressions() -> None:
    assert parse_number("3mil") == pytest.approx(76.2e-6)
    with pytest.raises(NetlistError, match="mil"):
        parse_number("3mil", in_expression=True)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_comes_back(value: float) -> None:
    for text in (repr(value), f"{value:.17g}", f"{value:.20e}"):
        assert parse_number(text) == value


@given(
    st.decimals(min_value=0, max_value=1000, places=6),
    st.sampled_from(
        [("t", 12), ("g", 9), ("meg", 6), ("k", 3), ("m", -3), ("u", -6), ("n", -9), ("p", -12)]
    ),
    st.sampled_from(["", "v", "ohm", "hz", "s"]),
)
def test_suffixes_scale_exactly(mantissa: object, suffix: tuple[str, int], unit: str) -> None:
    letters, exponent = suffix
    assert parse_number(f"{mantissa}{letters}{unit}") == float(f"{mantissa}e{exponent}")


@given(st.text(alphabet="0123456789.+-ekmguxad'{ ", max_size=12))
def test_any_text_is_a_finite_number_or_refused(text: str) -> None:
    try:
        value = parse_number(text)
    except NetlistError:
        return
    assert math.isfinite(value)


@needs_ngspice
def test_ngspice_reads_the_same_values() -> None:
    # Beyond 16 digits and 300 decades ngspice's own reader of numbers rounds or overflows.
    texts = [text for text in VALUES if len(text) < 12]
    lines = [f"v{i} n{i} 0 {text}\nr{i} n{i} 0 1k" for i, text in enumerate(texts)]
    netlist = "\n".join(["numbers", *lines])
    printed = ngspice(netlist)
    circuit = parse_netlist(netlist).circuit
    read = {e.plus: e.volts for e in circuit.elements if hasattr(e, "volts")}
    assert len(read) == len(texts)
    for i, text in enumerate(texts):
        assert read[f"n{i}"] == pytest.approx(printed[f"n{i}"], rel=1e-12), text


@needs_ngspice
@pytest.mark.parametrize("text", ["1\u00b5", "3.3\u00b5F"])
def test_the_micro_sign_is_a_u(text: str) -> None:
    netlist = f"t\nv1 a 0 {text}\nr1 a 0 1k"
    (source, _) = parse_netlist(netlist).circuit.elements
    assert source.volts == pytest.approx(ngspice(netlist)["a"], rel=1e-12)
