"""How late cameras are, out of the board's motion alone: before anything is calibrated.

Shift, growth and turn of a board between two frames are, for a board that stays in one part of the room, roughly a
linear map of its true motion; so what one camera sees is a linear map of what another one sees at the same moment.
Canonical correlation (Hotelling 1936) finds how well such a map fits; it is tried at every lag.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.footage.delays import CameraLags
from triskel.calibration.footage.motion import FEWEST_COMMON
from triskel.calibration.footage.types import BoardFootage, CameraBoards

FEWEST_STEPS = 24
"""Steps that two cameras have to share at a lag: eight numbers of motion are compared."""
CLEAR = 13.0
"""Logarithm of how much likelier the best lag is than any that is apart from it, and than no relation at all."""
_CHANNELS = 4
_RIDGE = 1e-6
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

    Boards have to move in all directions, at changing speed, for some seconds, seen by two cameras. To about a fifth
    of a frame; `lags_from_residuals` is finer once the rig is known.

    Args:
        footage: of all cameras, every frame or every n-th.
        longest_sets: lags up to this are tried; if None, up to a third of the recording.

    Returns:
        The lags; NaN for cameras whose motion matches that of no other camera clearly.
    """
    every = _stride(footage)
    length = footage.n_sets // every + 1
    longest = max(1, length // 3 if longest_sets is None else -(-longest_sets // every))
    names = footage.names
    signals = np.stack([_signal(footage, name, every, length) for name in names]) if names else np.zeros((0, 0, 0))
    pairs = []
    for a in range(len(names)):
        for b in range(a + 1, len(names)):
            found = _pair_lag(signals[a], signals[b], longest)
            if found is not None:
                pairs.append(PairLag(a, b, every * found[0], every * found[1]))
    return _joined(names, pairs, floor_sets=every * NOT_LINEAR)


def in_sync(footage: BoardFootage, lags: CameraLags) -> BoardFootage:
    """Return the footage with late cameras moved by whole frame sets, to where their pictures belong.

    Only lags beyond doubt count, and what remains is less than a set: `calibrate_in_step` takes care of that. The
    sets keep their numbers.
    """
    late = lags.late(least_sets=0.5)
    by = {name: round(float(lags.lag_sets[lags.cameras.index(name)])) for name in late}
    # A lag of half a set that rounds to none moves nothing.
    by = {name: shift for name, shift in by.items() if shift}
    if not by:
        return footage
    cameras = []
    for one in footage.cameras:
        sets = one.sets + by.get(one.camera, 0)
        kept = one[sets >= 0]  # what came before the others began belongs to no set
        cameras.append(replace(kept, sets=sets[sets >= 0]) if len(kept) else kept)
    return replace(footage, cameras=tuple(cameras))


def _stride(footage: BoardFootage) -> int:
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


def _pair_lag(a: NDArray[np.float64], b: NDArray[np.float64], longest: int) -> tuple[float, float] | None:
    """Return by how much b is late and the standard error, in steps; None where no lag is clear.

    What happens at set f in a stands in b at set f - lag, since b's picture of a set was taken later.
    """
    lags = np.arange(-longest, longest + 1)
    alike = _alike(a, b, longest)
    score = np.array([_likelihood(a, b, int(lag), alike) for lag in lags])
    if not np.isfinite(score).any():
        return None
    known = np.where(np.isfinite(score), score, -np.inf)
    best = int(known.argmax())
    left, right = max(best - 1, 0), min(best + 1, len(lags) - 1)
    apart = np.abs(np.arange(len(lags)) - best) > _width(known, best)
    if known[best] < CLEAR or known[best] - known[apart].max(initial=0.0) < CLEAR or best in (left, right):
        return None
    y0, y1, y2 = known[left], known[best], known[right]
    bend = y0 - 2 * y1 + y2
    if not (np.isfinite(bend) and bend < 0):
        return None
    return float(lags[best] + 0.5 * (y0 - y2) / bend), float(np.sqrt(1 / -bend))


def _width(score: NDArray[np.float64], best: int) -> int:
    """Return how far from the peak the score has fallen to half on both sides: within, lags are the same answer."""
    above = score > 0.5 * score[best]
    left = best - int(np.argmax(~above[best::-1])) if (~above[: best + 1]).any() else 0
    right = best + int(np.argmax(~above[best:])) if (~above[best:]).any() else len(score) - 1
    return max(2, best - left, right - best)


def _alike(a: NDArray[np.float64], b: NDArray[np.float64], longest: int) -> float:
    """Return how many neighbouring steps count as one: a hand goes on as it went (Bartlett 1946)."""
    total = 1.0
    for lag in range(1, longest + 1):
        both = _autocorrelation(a, lag) * _autocorrelation(b, lag)
        if not both > 0.01:
            break
        total += 2 * both
    return total


def _autocorrelation(signal: NDArray[np.float64], lag: int) -> float:
    """Return the mean correlation of the channels of a signal with themselves, later; 0 where there is none."""
    x, y = signal[:-lag], signal[lag:]
    good = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    if good.sum() < FEWEST_STEPS:
        return 0.0
    x, y = (part[good] - part[good].mean(axis=0) for part in (x, y))
    power = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return float(((x * y).sum(axis=0) / np.maximum(power, 1e-300)).mean())


def _likelihood(a: NDArray[np.float64], b: NDArray[np.float64], lag: int, alike: float) -> float:
    """Return the logarithm of how much better b is explained by a at a lag than by chance; NaN with too few steps.

    `alike` neighbouring steps count as one.
    """
    x, y = (a[lag:], b[: len(b) - lag]) if lag >= 0 else (a[:lag], b[-lag:])
    good = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    n = int(good.sum())
    if n < FEWEST_STEPS:
        return float("nan")
    x, y = (part[good] - part[good].mean(axis=0) for part in (x, y))
    spread_x, spread_y = x.std(axis=0), y.std(axis=0)
    if (spread_x <= 0).any() or (spread_y <= 0).any():
        return float("nan")
    qx = np.linalg.svd(x / spread_x, full_matrices=False)[0]
    qy = np.linalg.svd(y / spread_y, full_matrices=False)[0]
    rho = np.minimum(np.linalg.svd(qx.T @ qy, compute_uv=False), 1 - _RIDGE)
    # Wilks' statistic; by chance it is half of the numbers of the map on average.
    return float(-0.5 * n / alike * np.log(1 - rho**2).sum() - 0.5 * _CHANNELS**2)


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
