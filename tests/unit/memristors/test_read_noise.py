"""Spectra, levels and dwell times of read noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sim_backend.memristors.read_noise import Flicker, ReadNoise, Telegraph
from tests.unit.memristors.chips import SIGMAS, assert_mean, assert_std, rng


def samples(noise: ReadNoise, n: int, times: np.ndarray, seed: int = 0) -> np.ndarray:
    generator = rng(seed)
    chip = noise.draw(n, generator)
    state = noise.start(chip, generator)
    found = np.empty((times.size, n))
    for k, at in enumerate(times):
        found[k], state = noise.sample(chip, state, float(at), generator)
    return found


def test_white_noise_has_its_variance_and_no_memory() -> None:
    found = samples(ReadNoise(white_relative_rms=0.01), 500, np.arange(100.0)) - 1.0
    # The variance of n normal samples is chi-square distributed with n degrees of freedom.
    square = (found**2).sum() / 0.01**2
    tail = stats.norm.sf(SIGMAS)
    assert stats.chi2.ppf(tail, found.size) < square < stats.chi2.isf(tail, found.size)
    assert_mean((found[1:] * found[:-1]).ravel() / 0.01**2, 0.0)


def test_flicker_noise_falls_as_one_over_f() -> None:
    flicker = Flicker(relative_rms=0.02, low_hertz=1e-4, high_hertz=1.0)
    rate, count, n = 2.0, 4096, 150
    found = samples(ReadNoise(flicker=flicker), n, np.arange(count) / rate) - 1.0
    taper = np.hanning(count)[:, None]
    power = np.abs(np.fft.rfft(found * taper, axis=0)) ** 2
    density = 2.0 * power.mean(axis=1) / (rate * (taper**2).sum())
    frequency = np.fft.rfftfreq(count, 1 / rate)
    # A decade, between the taper's main lobe and what folds back at half the rate.
    band = (frequency > 4e-3) & (frequency < 0.05)
    f, s = frequency[band], density[band]
    # Each density is a mean of n exponential variates: its logarithm has variance 1 / n, and
    # neighbours share the taper's 1.5 bins.
    fit = np.polynomial.Polynomial.fit(np.log(f), np.log(s), 1).convert()
    spread = np.log(f) - np.log(f).mean()
    error = np.sqrt(1.5 / n / (spread**2).sum())
    assert abs(fit.coef[1] + 1.0) < SIGMAS * error + 0.03  # ripple, folding
    level = flicker.relative_rms**2 / np.log(flicker.high_hertz / flicker.low_hertz)
    assert np.mean(s * f) / level == pytest.approx(
        1.0, abs=SIGMAS * np.sqrt(1.5 / n / f.size) + 0.1
    )


def test_flicker_noise_depends_on_times_alone() -> None:
    """Rms and correlation across a gap are those of the sum of processes, however it is sampled."""
    flicker = Flicker(0.02, 1e-3, 1e1)
    noise = ReadNoise(flicker=flicker)
    for times in ([5.0, 45.0], [5.0, 6.0, 7.5, 20.0, 44.0, 45.0]):
        found = (samples(noise, 20_000, np.array(times)) - 1.0) / flicker.relative_rms
        assert_std(found[0], 1.0)
        assert_std(found[-1], 1.0)
        expected = np.exp(-40.0 / flicker.times_seconds()).mean()
        assert_mean(found[0] * found[-1], expected)


def test_flicker_noise_keeps_its_variance_over_short_times() -> None:
    """What a short time adds is what it takes away: ``1 - exp(-2 t / tau)`` of the variance."""
    noise = ReadNoise(flicker=Flicker(0.02, 1e-2, 1e-1))
    assert noise.flicker is not None
    generator = rng(3)
    chip = noise.draw(100_000, generator)
    before = noise.start(chip, generator)
    _, after = noise.sample(chip, before, 0.2, generator)
    for k, tau in enumerate(noise.flicker.times_seconds()):
        kept = np.exp(-0.2 / tau)
        fresh = after.flicker[k] - kept * before.flicker[k]
        assert_std(fresh, np.sqrt(1 - kept**2))
        assert_std(after.flicker[k], 1.0)


def test_telegraph_noise_has_two_levels_and_its_dwell_times() -> None:
    telegraph = Telegraph(share=0.4, relative_step=0.05, high_seconds=3.0, low_seconds=1.0)
    n, step, count = 400, 0.5, 1500
    found = samples(ReadNoise(telegraph=telegraph), n, step * np.arange(count))
    np.testing.assert_allclose(np.unique(found), [0.95, 1.0])
    low = found < 0.99
    noisy = low.any(axis=0)  # 1500 samples of a quarter low miss none
    assert abs(noisy.mean() - 0.4) <= SIGMAS * np.sqrt(0.4 * 0.6 / n)
    low = low[:, noisy]
    # Sampled states are a Markov chain: every sample is an independent trial of leaving.
    memory = np.exp(-step * (1 / 3.0 + 1 / 1.0))
    for state, p in ((low, 0.75 * (1 - memory)), (~low, 0.25 * (1 - memory))):
        trials = state[:-1].sum()
        left = (state[:-1] & ~state[1:]).sum()
        assert abs(left - trials * p) <= SIGMAS * np.sqrt(trials * p * (1 - p))
    # Dwell times are then geometric; chi-square of how long low states last.
    runs = np.concatenate([_runs(low[:, k]) for k in range(low.shape[1])])
    p = 0.75 * (1 - memory)
    longest = 6
    seen = np.bincount(np.minimum(runs, longest), minlength=longest + 1)[1:]
    share = p * (1 - p) ** np.arange(longest)
    share[-1] = (1 - p) ** (longest - 1)
    assert stats.chisquare(seen, share * runs.size).pvalue > 2 * stats.norm.sf(SIGMAS)


def _runs(state: np.ndarray) -> np.ndarray:
    """Lengths of runs of True that begin and end within."""
    edges = np.flatnonzero(np.diff(state.astype(int)))
    starts = [k for k in edges if state[k + 1]]
    lengths = []
    for k in starts:
        ends = edges[edges > k]
        if ends.size:
            lengths.append(ends[0] - k)
    return np.array(lengths, int)


def test_sampling_once_more_at_the_same_time_tells_nothing_new() -> None:
    noise = ReadNoise(flicker=Flicker(0.1, 1.0, 10.0), telegraph=Telegraph(1.0, 0.1, 1.0, 1.0))
    first, second = samples(noise, 100, np.array([3.0, 3.0]))
    np.testing.assert_array_equal(first, second)


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="must not fall"):
        samples(ReadNoise(0.1), 3, np.array([2.0, 1.0]))


def test_no_reading_is_negative() -> None:
    assert (samples(ReadNoise(white_relative_rms=1.0), 1000, np.arange(3.0)) >= 0.0).all()
    assert ReadNoise().silent
    assert not ReadNoise(0.1).silent
