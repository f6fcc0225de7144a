"""Passes give every device its pulses and no other device any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from drivers.bench.passes import Pass, plan, planned_counts, split
from hil.errors import UsageError

shapes = st.tuples(st.integers(1, 7), st.integers(1, 7))


def matrices(most: int) -> st.SearchStrategy[np.ndarray]:
    return shapes.flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(-most, most)))


def distinct(counts: np.ndarray) -> int:
    return np.unique(np.abs(counts[counts != 0])).size


@given(st.one_of(matrices(1), matrices(3), matrices(127)))
def test_sums_are_the_counts(counts: np.ndarray) -> None:
    passes = plan(counts)
    np.testing.assert_array_equal(planned_counts(passes, counts.shape), counts)
    # Nothing is given and taken back: the magnitudes add up as well.
    pulses = [Pass(p.rows, p.columns, 1, p.n_pulses) for p in passes]
    np.testing.assert_array_equal(planned_counts(pulses, counts.shape), np.abs(counts))
    assert all(p.n_pulses > 0 and p.rows and p.columns for p in passes)


@given(st.one_of(matrices(1), matrices(3), matrices(127)))
def test_there_are_never_more_passes_than_stated(counts: np.ndarray) -> None:
    assert len(plan(counts)) <= 2 * distinct(counts) * min(counts.shape)


@given(matrices(2))
def test_transposed_counts_need_as_many_passes(counts: np.ndarray) -> None:
    assert len(plan(counts)) == len(plan(counts.T))


@pytest.mark.parametrize("shape", [(4, 3), (3, 4)])
def test_equal_lines_share_a_pass(shape: tuple[int, int]) -> None:
    assert plan(np.full(shape, 5)) == [Pass(tuple(range(shape[0])), tuple(range(shape[1])), 1, 5)]


def test_the_side_that_needs_fewer_is_taken() -> None:
    counts = np.array([[1, 2, 3, 4], [0, 0, 0, 0], [1, 2, 3, 4]])
    # By rows: one pattern of four magnitudes, which have three binary digits. By columns: four
    # columns of one magnitude each, whose rows are the same but whose numbers differ.
    assert len(plan(counts)) == 3
    # Rows 0 and 1 are the same; by columns there are three patterns.
    assert plan(np.array([[1, 0, 1], [1, 0, 1], [0, 1, 1]])) == [
        Pass((0, 1), (0, 2), 1, 1),
        Pass((2,), (1, 2), 1, 1),
    ]


def test_a_column_of_different_counts_takes_their_differences() -> None:
    assert plan(np.array([[5], [-2], [2], [0], [5]])) == [
        Pass((0, 2, 4), (0,), 1, 2),
        Pass((0, 4), (0,), 1, 3),
        Pass((1,), (0,), -1, 2),
    ]


def test_no_pulses_need_no_pass() -> None:
    assert plan(np.zeros((3, 2), np.int8)) == []


def test_small_integers_do_not_overflow() -> None:
    counts = np.array([[-128, 127]], np.int8)
    np.testing.assert_array_equal(planned_counts(plan(counts), (1, 2)), counts.astype(int))


@pytest.mark.parametrize("wrong", [np.zeros((2, 2)), np.zeros(4, int), np.zeros((1, 2, 2), int)])
def test_what_is_no_matrix_of_integers_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(UsageError, match="matrix of integers"):
        plan(wrong)


@given(counts=matrices(5), most=st.integers(1, 12))
def test_passes_are_split_until_they_fit(counts: np.ndarray, most: int) -> None:
    def fits(one: Pass) -> bool:
        return len(one.rows) * len(one.columns) <= most

    parts = [part for one in plan(counts) for part in split(one, fits)]
    assert all(fits(part) for part in parts)
    assert np.array_equal(planned_counts(parts, counts.shape), counts)


def test_a_device_that_does_not_fit_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="a single device"):
        split(Pass((0, 1), (2,), 1, 3), lambda one: False)
