"""How late cameras are, out of the board's motion alone: before anything is calibrated.

Shift, growth and turn of a board between two frames are, for a board that stays in one part of the room, roughly a
linear map of its true motion; so what one camera sees is a linear map of what another one sees at the same moment.
Canonical correlation (Hotelling 1936) finds how well such a map fits; it is tried at every lag.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from triskel.calibration.footage.delays import CameraLags
from triskel.calibration.footage.motion import FEWEST_COMMON
from triskel.calibration.footage.types import BoardFootage, CameraBoards

FEWEST_STEPS = 24
"""Steps that two cameras have to share at a lag: eight numbers of motion are compared."""
CLEAR = 13.0
"""Logarithm of how much likelier the best lag is than any that is apart from it, and than no relation at all."""
_CHANNELS = 4
_RIDGE = 1e-6
_STILL = 1e-9
LONGEST_S, LONGEST_SETS = 2.0, 60
NOT_LINEAR = 0.17
"""Steps by which a lag is wrong because the map is not quite linear: measured with boards waved in rings of cameras."""


class PairLag(NamedTuple):
    """How much later, in frame sets, camera `b` took its pictures than camera `a`, and the standard error."""

    a: int
    b: int
    lag_sets: float
    sigma_sets: float


def lags_from_motion(footage: BoardFootage, *, longest_sets: int | None = None) -> CameraLags:
    """Estimate how late each camera is from how boards move in the images; nothing needs to be calibrated.

    A guess, to be confirmed by a calibration, as `calibrate_synchronised` does: motion alone can mislead.

    Boards have to move in all directions, at changing speed, for some seconds, seen by two cameras. To about a fifth
    of a frame; `lags_from_residuals` is finer once the rig is known.

    Args:
        footage: of all cameras, every frame or every n-th.
        longest_sets: lags up to this are tried; if None, up to two seconds, or 60 sets where nobody knows the rate.
            Of longer ones a hand that moves to and fro would always find some that fit.

    Returns:
        The lags; NaN for cameras whose motion matches that of no other camera clearly.
    """
    every = stride(footage)
    length = footage.n_sets // every + 1
    longest_sets = longest_lag(footage) if longest_sets is None else longest_sets
    longest = max(1, min(length // 3, -(-longest_sets // every)))
    names = footage.names
    signals = [_signal(footage, name, every, length) for name in names]
    transforms = [_transforms(signal, longest) for signal in signals]
    again = [_autocorrelations(signal, longest) for signal in signals]
    pairs = []
    for a in range(len(names)):
        for b in range(a + 1, len(names)):
            score = _likelihoods(transforms[a], transforms[b], _alike(again[a], again[b]), longest)
            found = _peak(score)
            if found is not None:
                pairs.append(PairLag(a, b, every * (found[0] - longest), every * found[1]))
    return _joined(names, pairs, floor_sets=every * NOT_LINEAR)


def in_sync(footage: BoardFootage, lags: CameraLags) -> BoardFootage:
    """Return the footage with late cameras moved by whole frame sets, to where their pictures belong.

    Only lags beyond doubt count. Where every n-th frame was looked at, cameras are moved by multiples of n: other sets
    nobody has looked at. What remains, less than that, is for the calibration. The sets keep their numbers.
    """
    every = stride(footage)
    late = lags.late(least_sets=0.5)
    # A lag of half a set that rounds to none moves nothing.
    return shifted(footage, {name: every * round(lags.of(name) / every) for name in late})


def shifted(footage: BoardFootage, by_sets: Mapping[str, int]) -> BoardFootage:
    """Return the footage with the pictures of each camera in later sets, by name; the same where nothing moves."""
    by = {name: shift for name, shift in by_sets.items() if shift}
    if not by:
        return footage
    cameras = []
    for one in footage.cameras:
        sets = one.sets + by.get(one.camera, 0)
        kept = one[sets >= 0]  # what came before the others began belongs to no set
        cameras.append(replace(kept, sets=sets[sets >= 0]) if len(kept) else kept)
    return replace(footage, cameras=tuple(cameras))


def longest_lag(footage: BoardFootage) -> int:
    """Return the longest lag, frame sets, that is looked for where nobody says another one."""
    return round(LONGEST_S * footage.fps) if footage.fps > 0 else LONGEST_SETS


def stride(footage: BoardFootage) -> int:
    """Return the distance between frame sets that were looked at."""
    gaps = [int(np.diff(one.sets).min()) for one in footage.cameras if len(one) > 1]
    return max(1, min(gaps, default=1))


def _signal(footage: BoardFootage, name: str, every: int, length: int) -> NDArray[np.float64]:
    """Return the motion (F, 4) of the board between each set and the next, `every` later; NaN where it is unseen."""
    columns = []
    for board in range(len(footage.boards)):
        motion = np.full((length, _CHANNELS), np.nan)
        one = footage.of(name, board)
        for i in np.flatnonzero(np.diff(one.sets) == every):
            motion[int(one.sets[i]) // every] = _similarity(one, int(i))
        columns.append(motion)
    # Boards that move at once are rare; the first one that is seen speaks for the moment.
    signal = columns[0]
    for other in columns[1:]:
        signal = np.where(np.isfinite(signal), signal, other)
    return signal


def _similarity(boards: CameraBoards, i: int) -> NDArray[np.float64]:
    """Return shift (in sizes of the board), growth and turn from view i to the next; NaN with too few corners."""
    before, after = boards.views[i], boards.views[i + 1]
    _, a, b = np.intersect1d(before.ids, after.ids, return_indices=True)
    if len(a) < FEWEST_COMMON:
        return np.full(_CHANNELS, np.nan)
    old, new = before.xy[a], after.xy[b]
    shift, old, new = new.mean(axis=0) - old.mean(axis=0), old - old.mean(axis=0), new - new.mean(axis=0)
    size = max(float((old**2).sum()), 1e-9)
    grow = float((old * new).sum()) / size - 1
    turn = float((old[:, 0] * new[:, 1] - old[:, 1] * new[:, 0]).sum()) / size
    return np.array([*(shift / np.sqrt(size / len(a))), grow, turn])


def _peak(score: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return where the one clear peak of a pair's likelihoods is, and the standard error; None without such."""
    if not np.isfinite(score).any():
        return None
    known = np.where(np.isfinite(score), score, -np.inf)
    best = int(known.argmax())
    left, right = max(best - 1, 0), min(best + 1, len(score) - 1)
    apart = np.abs(np.arange(len(score)) - best) > _width(known, best)
    if known[best] < CLEAR or known[best] - known[apart].max(initial=0.0) < CLEAR or best in (left, right):
        return None
    y0, y1, y2 = known[left], known[best], known[right]
    bend = y0 - 2 * y1 + y2
    if not (np.isfinite(bend) and bend < 0):
        return None
    return float(best + 0.5 * (y0 - y2) / bend), float(np.sqrt(1 / -bend))


def _width(score: NDArray[np.float64], best: int) -> int:
    """Return how far from the peak the score has fallen to half on both sides: within, lags are the same answer."""
    above: NDArray[np.bool_] = np.asarray(score > 0.5 * score[best])
    left = best - int(np.argmax(~above[best::-1])) if (~above[: best + 1]).any() else 0
    right = best + int(np.argmax(~above[best:])) if (~above[best:]).any() else len(score) - 1
    return max(2, best - left, right - best)


def _alike(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return how many neighbouring steps count as one: a hand goes on as it went (Bartlett 1946)."""
    both = a * b
    end = int(np.argmax(~(both > 0.01))) if (~(both > 0.01)).any() else len(both)
    return 1.0 + 2 * float(both[:end].sum())


def _autocorrelations(signal: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Return the correlation of a signal with itself, mean of the channels, at lags 1 ... longest."""
    return np.array([_autocorrelation(signal, lag) for lag in range(1, longest + 1)])


def _autocorrelation(signal: NDArray[np.float64], lag: int) -> float:
    """Return the mean correlation of the channels of a signal with themselves, later; 0 where there is none."""
    x, y = signal[:-lag], signal[lag:]
    good = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    if good.sum() < FEWEST_STEPS:
        return 0.0
    x, y = (part[good] - part[good].mean(axis=0) for part in (x, y))
    power = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return float(((x * y).sum(axis=0) / np.maximum(power, 1e-300)).mean())


class _Transforms(NamedTuple):
    """Fourier transforms of a signal, 0 where it is unknown: where it is known, itself (4), its products (4, 4)."""

    known: NDArray[np.complex128]
    values: NDArray[np.complex128]
    products: NDArray[np.complex128]


def _transforms(signal: NDArray[np.float64], longest: int) -> _Transforms:
    """Return what sums over the steps that two cameras share are made from, at all lags at once."""
    known: NDArray[np.bool_] = np.asarray(np.isfinite(signal).all(axis=1), dtype=np.bool_)
    values = np.where(known[:, None], signal, 0.0)
    # In like units and about its mean, or small differences of large sums would be left of it.
    values = np.where(known[:, None], values - values.sum(axis=0) / max(int(known.sum()), 1), 0.0)
    spread = np.sqrt((values**2).sum(axis=0) / max(int(known.sum()), 1))
    values = values / np.where(spread > 0, spread, 1.0)
    n = 2 * next_fast_len(-(-(len(signal) + longest) // 2), real=True)  # even: the inverse takes it for granted
    products = values[:, :, None] * values[:, None, :]
    return _Transforms(rfft(known.astype(float), n), rfft(values, n, axis=0), rfft(products, n, axis=0))


def _likelihoods(a: _Transforms, b: _Transforms, alike: float, longest: int) -> NDArray[np.float64]:
    """Return the logarithm of how much better b is explained by a than by chance at lags -longest ... longest.

    What happens at set f in a stands in b at set f - lag, since b's picture of a set was taken later. `alike`
    neighbouring steps count as one. NaN with too few steps.
    """

    def at_lags(x: NDArray[np.complex128], y: NDArray[np.complex128]) -> NDArray[np.float64]:
        """Return sum over f of x(f + lag) y(f)."""
        circular = irfft(x * np.conj(y), axis=0)
        return np.asarray(np.concatenate([circular[len(circular) - longest :], circular[: longest + 1]]))

    one = (slice(None), None)
    n = np.rint(at_lags(a.known, b.known))
    count = np.maximum(n, 1)
    mean_a = at_lags(a.values, b.known[one]) / count[one]
    mean_b = at_lags(a.known[one], b.values) / count[one]
    S = np.zeros((len(n), 2 * _CHANNELS, 2 * _CHANNELS))
    A, B = slice(0, _CHANNELS), slice(_CHANNELS, None)
    S[:, A, A] = at_lags(a.products, b.known[:, None, None]) / count[:, None, None]
    S[:, B, B] = at_lags(a.known[:, None, None], b.products) / count[:, None, None]
    S[:, A, B] = at_lags(a.values[:, :, None], b.values[:, None, :]) / count[:, None, None]
    S[:, B, A] = np.swapaxes(S[:, A, B], 1, 2)
    mean = np.concatenate([mean_a, mean_b], axis=1)
    S -= mean[:, :, None] * mean[:, None, :]
    spread = np.diagonal(S, axis1=1, axis2=2)
    good = (n >= FEWEST_STEPS) & (spread > _STILL).all(axis=1)
    scale = 1 / np.sqrt(np.where(good[:, None], spread, 1.0))
    S = np.where(good[:, None, None], S * scale[:, :, None] * scale[:, None, :], 0.0)
    S += np.eye(2 * _CHANNELS) * np.where(good, _RIDGE, 1.0)[:, None, None]
    # Wilks' statistic; by chance it is half of the numbers of the map on average.
    wilks = np.linalg.slogdet(S)[1] - np.linalg.slogdet(S[:, A, A])[1] - np.linalg.slogdet(S[:, B, B])[1]
    return np.where(good, -0.5 * n / alike * wilks - 0.5 * _CHANNELS**2, np.nan)


def _joined(names: tuple[str, ...], pairs: list[PairLag], *, floor_sets: float) -> CameraLags:
    """Return each camera's lag from those of pairs, by weighted least squares; the median camera has 0."""
    C = len(names)
    lag, sigma = np.full(C, np.nan), np.full(C, np.nan)
    if pairs:
        A, y = np.zeros((len(pairs), C)), np.zeros(len(pairs))
        for row, pair in enumerate(pairs):
            A[row, [pair.a, pair.b]] = np.array([-1, 1]) / pair.sigma_sets
            y[row] = pair.lag_sets / pair.sigma_sets
        group = _largest_group(C, pairs)
        inverse = np.linalg.pinv(A.T @ A)
        lag[group] = (inverse @ (A.T @ y))[group]
        sigma[group] = np.hypot(np.sqrt(np.diagonal(inverse)), floor_sets)[group]
        lag -= np.nanmedian(lag)
    return CameraLags(names, lag, sigma)


def _largest_group(C: int, pairs: list[PairLag]) -> NDArray[np.intp]:
    """Return the cameras of the largest group that pairs connect; lags of different groups cannot be compared."""
    group = np.arange(C)
    for pair in pairs * C:
        group[[pair.a, pair.b]] = min(group[pair.a], group[pair.b])
    return np.flatnonzero(group == np.bincount(group).argmax())
