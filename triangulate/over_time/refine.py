"""Raw people to final ones: the steps over time in their order."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from triskel.keypoints import Missing, Points3D
from triskel.motion import Motion3D
from triskel.triangulate.over_time.bones import hold_lengths, limb_lengths
from triskel.triangulate.over_time.filters import FILTERS, Filter
from triskel.triangulate.over_time.gaps import fill_gaps
from triskel.triangulate.over_time.options import OverTimeOptions
from triskel.triangulate.over_time.outliers import outliers
from triskel.triangulate.over_time.swaps import repair_motion


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
    """
    options = options or OverTimeOptions()
    if not motion.points.X.size:
        return motion
    if options.repair_swaps:
        motion, _ = repair_motion(motion)
    points, time_s = motion.points, motion.time_s
    if options.drop_outliers:
        points = points.without(_off_their_path(points, time_s, options), Missing.OUTLIER)
    points, filled = fill_gaps(points, time_s, longest_gap_s=options.longest_gap_s)
    if options.filter != "none":
        points = _filtered(points, time_s, _filter(options))
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


def _filtered(points: Points3D, time_s: NDArray[np.float64], method: Filter) -> Points3D:
    """Return the points with positions and covariances filtered."""
    F = len(time_s)
    result = method.smooth(
        points.X.reshape(F, -1, 3), np.asarray(time_s, dtype=np.float64), points.cov_mm2.reshape(F, -1, 3, 3)
    )
    cov = result.cov_mm2.reshape(points.cov_mm2.shape).astype(np.float32)
    return points._replace(X=result.X.reshape(points.X.shape), cov_mm2=cov)
