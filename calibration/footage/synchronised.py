"""A rig from recordings of which nobody knows whether they are in step: lags and calibration in turn.

A calibration from late pictures has taken up a part of the lag, so what its residuals say of it is too little, but of
the right sign; corrected and calibrated again, in turn, it comes out whole. What motion alone says about longer lags
is only believed where a calibration fits clearly better with it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.footage.delays import (
    CameraLags,
    Motions,
    ViewDelays,
    at_one_moment,
    constant_delays,
    lags_from_residuals,
    shot_motions,
)
from triskel.calibration.footage.in_step import WORTHLESS_SETS, InStep, Solve, correct_pictures, solver
from triskel.calibration.footage.selection import choose_shots
from triskel.calibration.footage.sync import lags_from_motion, longest_lag, shifted, stride
from triskel.calibration.footage.types import BoardFootage, Shots
from triskel.calibration.rig import RigCalibration
from triskel.camera import Camera
from triskel.errors import InputError

Chooser = Callable[[BoardFootage], Shots]

ROUNDS = 12
MATTERS_SETS = 0.05
"""Lags below this are within what the selection of shots and the boards' curved motion make of cameras in step."""
SETTLED_SETS = 0.01
FURTHEST = 6.0
"""A step is at most this many times what the residuals say."""
NEARLY_WHOLE, AS_GOOD = 0.15, 1.05
CLEARLY = 0.8
"""A shift is believed if the corners then fit better than this, against without it."""
FEWEST_VIEWS = 0.5
"""... with at least this share of views: a few that fit by chance are no proof."""
SEARCH_STEPS = 6
BAD_PX, BAD = 1.0, 3.0
"""Mean error, px and times that of the median camera, at which a camera may be late by too much to be recognised."""
_CLIP_PX = 20.0


class _Attempt(NamedTuple):
    """A calibration with some lags (C,), frame sets, taken out; what of them is less than a set along the motion."""

    lags: NDArray[np.float64]
    footage: BoardFootage
    shots: Shots
    motions: Motions
    within: dict[str, float]
    calibration: RigCalibration
    left: CameraLags
    cost_px: float
    camera_px: NDArray[np.float64]


def calibrate_synchronised(
    footage: BoardFootage,
    cameras: Iterable[Camera],
    *,
    shots: Chooser | None = None,
    refine_intrinsics: bool = False,
    lens_covariance: Mapping[str, NDArray[np.float64]] | None = None,
    correct: bool = True,
) -> InStep:
    """Find out which cameras are late, put them right, and calibrate the rig.

    Args:
        footage: the whole recording, as found.
        cameras: with their intrinsics.
        shots: chooses from footage the shots to calibrate from; `choose_shots` if None. It is asked again whenever
            cameras were moved by whole frames.
        refine_intrinsics: as for `calibrate_rig`; lags are looked for with the lenses as given.
        lens_covariance: as for `calibrate_rig`.
        correct: also correct; otherwise pictures are taken for simultaneous, and `lags` is what would be corrected.

    Raises:
        InputError: as `calibrate_rig`.
    """
    fixed = tuple(cameras)
    search = _Search(
        footage,
        tuple(camera.name for camera in fixed),
        shots or (lambda some: choose_shots(some, singles=refine_intrinsics).shots()),
        solver(fixed, refine_intrinsics=False, lens_covariance=None),
    )
    solve = solver(fixed, refine_intrinsics=refine_intrinsics, lens_covariance=lens_covariance)
    settled = search.searched(search.settled(search.start()))
    lags = search.told(settled)
    if not correct:
        own = search.choose(footage)
        plain = solve(own)
        return InStep(plain, own, ViewDelays([{} for _ in own.shots]), 0.0, 0, footage, lags, lags)
    used = _within(settled.shots, settled.within, settled.motions)
    if settled.left.late(least_sets=WORTHLESS_SETS):
        # What is left is no matter of single pictures: to take it out of them would only hide it.
        constant = constant_delays(used, settled.within, settled.motions)
        return InStep(solve(used), used, constant, 0.0, 0, settled.footage, lags, settled.left)
    found = correct_pictures(
        settled.footage, settled.shots, settled.motions, solve, first=solve(used), lag_sets=settled.within
    )
    return found._replace(lags=lags)


class _Search:
    """Calibrations of one recording with different lags taken out."""

    def __init__(self, footage: BoardFootage, names: tuple[str, ...], choose: Chooser, solve: Solve) -> None:
        self.footage, self.names, self.choose, self.solve = footage, names, choose, solve
        self.every = stride(footage)
        self._chosen: dict[tuple[int, ...], tuple[BoardFootage, Shots, Motions]] = {}

    def attempt(self, lags: NDArray[np.float64]) -> _Attempt:
        """Calibrate with some lags taken out.

        Raises:
            InputError: cameras share no shots then.
        """
        whole = tuple((self.every * np.rint(lags / self.every)).astype(int).tolist())
        if whole not in self._chosen:
            moved = shifted(self.footage, dict(zip(self.names, whole, strict=True)))
            shots = self.choose(moved)
            self._chosen[whole] = moved, shots, shot_motions(moved, shots)
        moved, shots, motions = self._chosen[whole]
        rest = lags - whole
        within = {}
        if np.abs(rest).max(initial=0.0) >= MATTERS_SETS:
            within = dict(zip(self.names, rest.tolist(), strict=True))
        else:
            lags = lags - rest
        used = _within(shots, within, motions)
        calibration = self.solve(used)
        left = lags_from_residuals(moved, used, calibration.rig, calibration.world_from_board, motions=motions)
        size = np.hypot(*calibration.errors.residual_px.T)
        size = np.minimum(np.nan_to_num(size, nan=_CLIP_PX), _CLIP_PX)
        total, count = (
            np.bincount(calibration.errors.camera, w, minlength=len(self.names)) for w in (size, np.ones_like(size))
        )
        of_camera = np.asarray(total / np.maximum(count, 1), dtype=np.float64)
        return _Attempt(lags, moved, shots, motions, within, calibration, left, float(size.mean()), of_camera)

    def start(self) -> _Attempt:
        """Return the best calibration without search: in step as recorded, or as motion says if that fits better."""
        none = np.zeros(len(self.names))
        motion = lags_from_motion(self.footage)
        guess = np.array([motion.of(name) if name in motion.late(least_sets=0.5) else 0.0 for name in self.names])
        guess = self.every * np.rint(guess / self.every)
        if not guess.any():
            return self.attempt(none)
        try:
            best = self.attempt(none)
        except InputError:
            return self.attempt(guess)
        best = self._better(best, guess)
        # Where all lags at once are no gain, or some of them may be wrong: one by one, the longest first.
        for c in np.argsort(-np.abs(guess), kind="stable")[: np.count_nonzero(guess)]:
            other = best.lags.copy()
            other[c] = 0.0 if other[c] else guess[c]
            best = self._better(best, other)
        return best

    def settled(self, start: _Attempt) -> _Attempt:
        """Return the calibration whose residuals tell of no more lag, or the best on the way there."""
        now = best = start
        steps: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        for _ in range(ROUNDS):
            steps.append((now.lags, _clear(now.left, self.names)))
            if np.abs(steps[-1][1]).max(initial=0.0) < SETTLED_SETS:
                break
            if len(steps) > 1 and np.array_equal(steps[-1][0], steps[-2][0]):
                break  # what is missing is too little to be corrected
            try:
                now = self.attempt(_relative(_ahead(steps)))
            except InputError:
                break
            if now.cost_px < best.cost_px:
                best = now
        return self._whole(best)

    def searched(self, settled: _Attempt) -> _Attempt:
        """Return what comes out where cameras that are still out of step are moved a long way first, if it is better.

        Residuals lead to a lag of up to half a second; motion may tell of a longer one, but often does not.
        """
        late = settled.left.late(least_sets=WORTHLESS_SETS)
        off = settled.camera_px
        suspects = [
            c for c, name in enumerate(self.names) if name in late or off[c] > max(BAD_PX, BAD * np.median(off))
        ]
        longest = longest_lag(self.footage)
        for c in sorted(suspects, key=lambda one: -float(off[one])):
            best = settled
            for far in np.linspace(-longest, longest, 2 * SEARCH_STEPS + 1):
                lags = settled.lags.copy()
                lags[c] = self.every * np.rint(far / self.every)
                best = self._better(best, lags, clearly=1.0)
            if best is not settled:
                best = self.settled(best)
                settled = best if best.cost_px < CLEARLY * settled.cost_px else settled
        return settled

    def _whole(self, best: _Attempt) -> _Attempt:
        """Return the calibration with whole frames only, if it is as good: cameras that are triggered together."""
        whole = self.every * np.rint(best.lags / self.every)
        if not best.within or np.abs(best.lags - whole).max() > NEARLY_WHOLE * self.every:
            return best
        try:
            other = self.attempt(whole)
        except InputError:
            return best
        nothing_left = np.abs(_clear(other.left, self.names)).max() < MATTERS_SETS
        return other if nothing_left and other.cost_px <= AS_GOOD * best.cost_px else best

    def told(self, settled: _Attempt) -> CameraLags:
        """Return the lags in the footage as given, with the standard errors of what is left of them."""
        sigma = np.array([settled.left.sigma_sets[settled.left.cameras.index(name)] for name in self.names])
        known = np.isfinite(sigma) | (settled.lags != 0)
        return CameraLags(self.names, np.where(known, settled.lags, np.nan), sigma)

    def _better(self, best: _Attempt, lags: NDArray[np.float64], *, clearly: float = CLEARLY) -> _Attempt:
        """Return an attempt with other lags if it fits clearly better, from about as many views."""
        try:
            other = self.attempt(lags)
        except InputError:
            return best
        before, after = best.calibration.camera_views, other.calibration.camera_views
        enough = all(after[name] >= FEWEST_VIEWS * before[name] for name in self.names)
        return other if enough and other.cost_px < clearly * best.cost_px else best


def _within(shots: Shots, within: Mapping[str, float], motions: Motions) -> Shots:
    """Return the shots with lags of less than a set taken out along the motion."""
    if not within:
        return shots
    return at_one_moment(shots, constant_delays(shots, within, motions), motions, largest_sets=np.inf)


def _clear(left: CameraLags, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return the lags that are beyond doubt, 0 for others."""
    late = left.late(least_sets=SETTLED_SETS)
    return np.array([left.of(name) if name in late else 0.0 for name in names])


def _ahead(steps: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> NDArray[np.float64]:
    """Return the lags to try next, from those tried and what their residuals said was missing.

    Residuals say too little, by about the same factor each time, so the last two steps tell where the sum of all will
    end (Anderson 1965, with one step back).
    """
    lags, step = steps[-1]
    if len(steps) > 1:
        change = step - steps[-2][1]
        share = float(change @ step) / max(float(change @ change), 1e-12)
        further = step - share * (lags - steps[-2][0] + change)
        if np.abs(further).max() <= FURTHEST * np.abs(step).max():
            step = further
    return np.asarray(lags + step)


def _relative(lags: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return lags of which the median camera, the earlier of two, has 0: whole frames of others stay whole."""
    return np.asarray(lags - np.sort(lags)[(len(lags) - 1) // 2])
