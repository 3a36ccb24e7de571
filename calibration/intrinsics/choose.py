"""Choose a lens model by how well it predicts corners that it was not fitted to, never by how well it fits."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel import lens
from triskel.calibration.intrinsics import kernel
from triskel.calibration.intrinsics.belief import Belief, belief_in
from triskel.calibration.intrinsics.models import LensSpec, as_camera, reason_against
from triskel.calibration.intrinsics.solve import Corners, Fit, adjust, huber_limit_px, with_dist

_Array = NDArray[np.float64]

FOLDS = 5
"""More poses of the board than twice this are left out a fifth at a time, fewer one at a time."""
SAME_POSE_DIAGONALS = 0.015
"""Two views are of one pose where the board's frame moved by less, in image diagonals; at 1280 x 720 by 22 px."""
_FOLD_STEPS = 3
_POSE_STEPS = 10
TIE_ERRORS = 0.5
"""Models whose errors differ by less than this many standard errors predict equally well; the simpler one is taken.
On a simulated rig anything up to one gives the same error of the lens. On a recording with the board in an
eighth of the image (38 views, 8 poses) a whole one took no distortion at all and a focal length 10 % short."""
_PROOF_ERRORS = 3.0
"""A fisheye or a rational lens is taken only where every plain one is worse by this many standard errors: few cameras
need them, and other programs understand them less often."""
_CAP = 3.0
"""Errors count at most this many times the Huber limit: one wild corner must not choose the lens."""


class ModelScore(NamedTuple):
    """How one lens model did.

    Attributes:
        name: such as `pinhole4`.
        held_out_px: RMS error of corners that neither the lens nor the view's pose was fitted to; NaN if not measured.
        chosen: whether the camera has this model.
        why: what spoke for or against it, in words.
    """

    name: str
    held_out_px: float
    chosen: bool
    why: str


def pose_groups(fit: Fit, corners: Corners, *, size_wh: tuple[int, int]) -> NDArray[np.int64]:
    """Return a group number for every view (V,): views that show the board in the same pose share one.

    A pose is told by where the board's middle and the ends of its sides lie in an image without distortion.
    """
    size = float(np.abs(corners.X).max())
    frame = np.array([[0.0, 0, 0], [size, 0, 0], [0, size, 0]])
    X = np.einsum("vij,kj->vki", fit.R, frame) + fit.t[:, None]
    nearest = np.maximum(0.05 * np.linalg.norm(fit.t, axis=1), 1e-9)[:, None, None]
    places = fit.packed[lens.FX] * (X[..., :2] / np.maximum(X[..., 2:], nearest))
    places = places.reshape(len(X), -1)
    limit = SAME_POSE_DIAGONALS * float(np.hypot(*size_wh))
    group = np.full(len(X), -1, dtype=np.int64)
    n_groups = 0
    for v in range(len(X)):
        if group[v] < 0:
            near = (np.abs(places - places[v]).max(axis=1) <= limit) & (group < 0)
            group[near] = n_groups
            n_groups += 1
    return group


def held_out_losses(
    fit: Fit,
    corners: Corners,
    spec: LensSpec,
    *,
    groups: NDArray[np.int64],
    use: NDArray[np.bool_],
    huber_px: float,
    belief: Belief | None = None,
) -> _Array:
    """Return each view's summed squared error, px^2 (V,), over corners that were not used to find what predicts them.

    The lens comes from other views than the one judged, the judged view's pose from every second corner of it, so
    that the others tell how well lens and pose predict. Views of one pose are judged together: they are no news to
    each other.
    """
    n_groups = int(groups.max()) + 1
    n_folds = min(n_groups, FOLDS if n_groups > 2 * FOLDS else n_groups)
    even = (np.arange(len(corners.X)) - corners.starts[corners.view]) % 2 == 0
    total = np.zeros(corners.n_views)
    cap = (_CAP * huber_px) ** 2
    for fold in range(n_folds):
        judged = (groups % n_folds == fold)[corners.view] & use
        trained = adjust(fit, corners, spec, use=use & ~judged, huber_px=huber_px, belief=belief, steps=_FOLD_STEPS)
        for half in (even, ~even):
            R, t = kernel.fit_poses(
                trained.packed, fit.R, fit.t, *corners[:2], corners.starts, judged & half, huber_px, _POSE_STEPS
            )
            left = kernel.residuals(trained.packed, R, t, *corners[:3])
            squared = np.nan_to_num((left**2).sum(axis=1), nan=cap)
            other = judged & ~half
            total += np.bincount(
                corners.view[other], weights=np.minimum(squared[other], cap), minlength=corners.n_views
            )
    return total


def choose(
    start: dict[str, Fit],
    corners: Corners,
    specs: tuple[LensSpec, ...],
    *,
    size_wh: tuple[int, int],
    use: NDArray[np.bool_],
    noise_px: float,
) -> tuple[LensSpec, Fit, tuple[ModelScore, ...]]:
    """Return the simplest lens model that predicts as well as the best, its fit, and every model's score.

    Errors of two models are compared view by view, so that what makes a view hard for both does not count (after the
    rule of one standard error, Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3).

    Args:
        start: a fit with the richest model of each lens model (`pinhole`, `fisheye`) in `specs`.
        corners: the corners.
        specs: the models, simplest first.
        size_wh: image size (width, height), px.
        use: (N,) which corners count.
        noise_px: estimated noise of a corner's coordinate, px.
    """
    huber_px = huber_limit_px(noise_px)
    beliefs = {model: belief_in(fit.packed, size_wh=size_wh, noise_px=noise_px) for model, fit in start.items()}
    fits, reasons = [], []
    for spec in specs:
        first = with_dist(start[spec.model], spec)
        fit = adjust(first, corners, spec, use=use, huber_px=huber_px, belief=beliefs[spec.model])
        fits.append(fit)
        reasons.append(_implausible(fit, spec, corners.xy[use], size_wh))
    possible = [i for i, reason in enumerate(reasons) if not reason] or list(range(len(specs)))
    groups = pose_groups(start[specs[0].model], corners, size_wh=size_wh)
    if len(possible) == 1 or groups.max() < 1:
        scores = [ModelScore(spec.name, float("nan"), i == possible[0], reasons[i]) for i, spec in enumerate(specs)]
        return specs[possible[0]], fits[possible[0]], tuple(scores)
    losses = {
        i: held_out_losses(
            fits[i], corners, spec, groups=groups, use=use, huber_px=huber_px, belief=beliefs[spec.model]
        )
        for i, spec in enumerate(specs)
        if i in possible
    }
    chosen, best = _decide(losses, specs)
    rms = {i: float(np.sqrt(loss.sum() / use.sum())) for i, loss in losses.items()}
    scores = [
        ModelScore(
            spec.name, rms.get(i, float("nan")), i == chosen, reasons[i] or _why(i, chosen=chosen, best=best, rms=rms)
        )
        for i, spec in enumerate(specs)
    ]
    return specs[chosen], fits[chosen], tuple(scores)


def _implausible(fit: Fit, spec: LensSpec, xy: _Array, size_wh: tuple[int, int]) -> str:
    """Return why a fit cannot be a real lens, or an empty string."""
    if not (np.isfinite(fit.packed).all() and np.abs(fit.packed[lens.DIST : lens.TILT]).max() < 1e4):
        return "no finite lens fits"
    seen = float(np.linalg.norm(xy - fit.packed[[lens.CX, lens.CY]], axis=1).max())
    return reason_against(as_camera(fit.packed, spec, name="camera", size_wh=size_wh), radius_seen_px=seen)


def _decide(losses: dict[int, _Array], specs: tuple[LensSpec, ...]) -> tuple[int, int]:
    """Return the index of the model to take, and of the best, from the views' losses (V,) of each that is possible."""
    best = min(losses, key=lambda i: float(losses[i].sum()))
    plain = {i: loss for i, loss in losses.items() if specs[i].plain}
    best_plain = min(plain, key=lambda i: float(plain[i].sum()), default=best)
    if not plain or not _as_good(losses[best_plain] - losses[best], _PROOF_ERRORS):
        tied = {i: loss for i, loss in losses.items() if i not in plain}
        return next(i for i in tied if _as_good(tied[i] - losses[best], TIE_ERRORS)), best
    return next(i for i in plain if _as_good(plain[i] - plain[best_plain], TIE_ERRORS)), best


def _as_good(worse: _Array, errors: float) -> bool:
    """Say whether views (V,) that are `worse`, px^2, are so within this number of standard errors of their sum."""
    n = len(worse)
    return bool(worse.sum() <= errors * np.sqrt(n / (n - 1) * ((worse - worse.mean()) ** 2).sum()))


def _why(i: int, *, chosen: int, best: int, rms: dict[int, float]) -> str:
    """Return in words why a plausible model was chosen or not."""
    if i == chosen:
        return "the best" if i == best else "the simplest of those that predict as well as the best"
    if i == best:
        return "predicts best, but by less than chance would give"
    if i > chosen:
        return "neither simpler nor better than chance would give"
    return f"predicts worse by {rms[i] - rms[best]:.3f} px"
