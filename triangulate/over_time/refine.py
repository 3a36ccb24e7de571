"""Raw people to final ones: the steps over time in their order."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError
from triskel.keypoints import Missing, Points3D
from triskel.motion import Motion3D
from triskel.triangulate.over_time.bones import hold_lengths, limb_lengths
from triskel.triangulate.over_time.filters import FILTERS, Filter
from triskel.triangulate.over_time.gaps import fill_gaps
from triskel.triangulate.over_time.options import OverTimeOptions
from triskel.triangulate.over_time.outliers import outliers
from triskel.triangulate.over_time.swaps import repair_motion

FILLED_COUNTS_LESS = 4.0
"""Factor on the covariance of a filled sample before the filter: it was made of samples that count for themselves."""


def refine_over_time(motion: Motion3D, options: OverTimeOptions | None = None) -> Motion3D:
    """Return people as they moved, from people as each frame set alone shows them.

    In this order: left and right put right where they were exchanged, outliers dropped, short gaps filled, the filter,
    limbs held to their lengths. The filter comes after the gaps, since a series cut into pieces is filtered badly, and
    before the lengths, since these are taken and imposed best where the noise is least. All points, those of hands and
    faces too, are filtered in the world: relative to a wrist they would get the wrist's noise in addition.

    Args:
        motion: raw people; not changed.
        options: the defaults when None.

    Returns:
        The people. `gap` marks what was filled; `missing` says `OUTLIER` for what was dropped here. Scores, views and
        reprojection errors of what was seen are those of the raw points. `cov_mm2` is what is left after filter and
        lengths.

    Raises:
        InputError: the times of the frame sets do not rise.
    """
    options = options or OverTimeOptions()
    time_s = np.asarray(motion.time_s, dtype=np.float64)
    falls = np.flatnonzero(~(np.diff(time_s) > 0))
    if len(falls):
        at = int(falls[0])
        got = f"{time_s[at]:g} s is followed by {time_s[at + 1]:g} s"
        raise InputError(f"times of frame sets rise, but at frame set {at} {got}: correct time_s")
    if not motion.points.X.size:
        return motion
    if options.repair_swaps:
        motion, _ = repair_motion(motion)
    points = motion.points
    if options.drop_outliers:
        points = points.without(_off_their_path(points, time_s, options), Missing.OUTLIER)
    points, filled = fill_gaps(points, time_s, longest_gap_s=options.longest_gap_s)
    if options.filter != "none":
        points = _filtered(points, time_s, filled, _filter(options))
    if options.bones:
        lengths = limb_lengths(motion.skeleton, points.X, points.cov_mm2)
        held = hold_lengths(points.X, points.cov_mm2, lengths)
        points = points._replace(X=held.X, cov_mm2=held.cov_mm2.astype(np.float32))
    return replace(motion, points=points, gap=motion.gap | filled)


def _off_their_path(points: Points3D, time_s: NDArray[np.float64], options: OverTimeOptions) -> NDArray[np.bool_]:
    """Return (F, N, J) True for points that leave their own path and come back."""
    F = len(time_s)
    sigma_m = 1e-3 * np.linalg.norm(points.sigma_mm, axis=-1).reshape(F, -1)
    X = points.X.reshape(F, -1, 3)
    off = outliers(X, time_s, sigma_m, n_sigma=options.outlier_sigmas, least_m=options.outlier_least_m)
    return off.reshape(points.score.shape)


def _filter(options: OverTimeOptions) -> Filter:
    kind = FILTERS[options.filter]
    settings = {"cutoff_hz": options.cutoff_hz, "window_s": options.window_s}
    return kind(**{name: value for name, value in settings.items() if hasattr(kind, name)})


def _filtered(points: Points3D, time_s: NDArray[np.float64], filled: NDArray[np.bool_], method: Filter) -> Points3D:
    """Return the points with positions and covariances filtered."""
    F = len(time_s)
    cov = points.cov_mm2.astype(np.float64)
    cov[filled] *= FILLED_COUNTS_LESS
    result = method.smooth(points.X.reshape(F, -1, 3), time_s, cov.reshape(F, -1, 3, 3))
    left = result.cov_mm2.reshape(points.cov_mm2.shape).astype(np.float32)
    return points._replace(X=result.X.reshape(points.X.shape), cov_mm2=left)
