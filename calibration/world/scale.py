"""How large the world is: from a wand, a person's height, or a board."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.fits import fit_points, spread_of
from triskel.calibration.world.body import HEAD_SIGMA, SEGMENT_SIGMA, measure_bodies, standing_stature
from triskel.calibration.world.placed import Placed, moved_rig
from triskel.camera import Rig
from triskel.errors import InputError
from triskel.motion import Motion3D
from triskel.rigid import Rigid
from triskel.triangulate import TriangulateOptions, triangulate_points

FEWEST_WAND_FRAMES = 10
WIDE_SPREAD = 0.02
"""Spread of the wand's length, as a share, beyond which the rig rather than the noise is to blame."""
HEIGHT_RANGE_M = (0.5, 2.6)
SCALE_RANGE = (0.5, 2.0)
"""Beyond this, the unit of something is another than thought, or what was measured is another thing."""
FARTHEST_M = 100.0
"""No rig around people is larger."""


def doubts(placed: Rig, scale: float) -> list[str]:
    """Return a line on a scale, or a rig in its new size, that nobody would expect.

    Args:
        placed: the rig in its new world.
        scale: what lengths were, or would have to be, multiplied by.
    """
    centres = np.array([camera.centre for camera in placed])
    widest = float(np.linalg.norm(centres[:, None] - centres[None], axis=-1).max())
    if widest > FARTHEST_M:
        return [
            f"the rig is {widest:.0f} m wide now (lengths times {scale:.4g}): are the lengths given in millimetres?"
        ]
    if not SCALE_RANGE[0] <= scale <= SCALE_RANGE[1]:
        return [
            f"lengths had to be multiplied by {scale:.4g}: a rig from a board is never off by that much; is the unit "
            "metres, and was that measured which is in the images?"
        ]
    return []


def scale_by(rig: Rig, scale: float) -> Placed:
    """Multiply all lengths of a rig by a factor, about the world's origin.

    Raises:
        InputError: the factor is not a positive number.
    """
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"the scale is a positive number, got {scale}")
    return Placed(moved_rig(rig, Rigid.identity(), scale=float(scale)), Rigid.identity(), float(scale), float("nan"))


def scale_from_wand(rig: Rig, xy: NDArray[np.float64], length_m: float) -> Placed:
    """Scale a rig by a wand with two markers whose distance is known, moved through the volume.

    Args:
        rig: C cameras.
        xy: (F, C, 2, 2) raw px of both markers in each frame, the same marker first everywhere; NaN where not seen.
        length_m: the markers' distance.

    Returns:
        The rig; `residual_mm` is the robust spread of the wand's length over the frames: what a distance of that size
        is worth anywhere in the volume.

    Raises:
        InputError: a length that is none, or fewer than ten frames in which two cameras agree on both markers.
    """
    xy = np.asarray(xy, dtype=np.float64)
    if xy.ndim != 4 or xy.shape[1:] != (len(rig), 2, 2):
        raise InputError(f"wand: the pixels are (frames, {len(rig)} cameras, 2 markers, 2), got {xy.shape}")
    if not (np.isfinite(length_m) and length_m > 0):
        raise InputError(f"wand: its length is a positive number of metres, got {length_m}")
    X = triangulate_points(rig, np.moveaxis(xy, 1, 0)).X
    lengths = np.linalg.norm(X[:, 0] - X[:, 1], axis=-1)
    lengths = lengths[np.isfinite(lengths)]
    if len(lengths) < FEWEST_WAND_FRAMES:
        raise InputError(
            f"wand: two cameras agree on both markers in {len(lengths)} of {len(xy)} frames, {FEWEST_WAND_FRAMES} are "
            "needed"
        )
    middle = float(np.median(lengths))
    if middle <= 0:
        raise InputError("wand: both markers are in one place; are they the same marker?")
    scale = length_m / middle
    spread = 1.4826 * float(np.median(np.abs(lengths - middle))) * scale
    messages = [f"wand of {1000 * length_m:.1f} mm: {len(lengths)} frames, spread {1000 * spread:.1f} mm"]
    if spread > WIDE_SPREAD * length_m:
        messages.append(
            f"the wand's length varies by {spread / length_m:.1%} over the volume: the rig is poor, or the cameras are "
            "not synchronised"
        )
    placed = scale_by(rig, scale)
    messages += doubts(placed.rig, scale)
    return placed._replace(residual_mm=1000 * spread, messages=tuple(messages))


def statures(motion: Motion3D) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each person's height (N,) in the world's units, and its standard deviation as a share of it (N,).

    From head to feet of who stands, and from the lengths of trunk and legs in any posture, both if known.
    """
    bodies = measure_bodies(motion.skeleton, motion.points.X)
    both = np.stack([standing_stature(motion.skeleton, motion.points.X, bodies), bodies.stature])
    weight = np.where(np.isfinite(both), np.array([HEAD_SIGMA, SEGMENT_SIGMA])[:, None] ** -2.0, 0.0)
    total = weight.sum(axis=0)
    known = total > 0
    height, sigma = np.full(len(total), np.nan), np.full(len(total), np.nan)
    height[known] = (weight * np.nan_to_num(both)).sum(axis=0)[known] / total[known]
    sigma[known] = total[known] ** -0.5
    return height, sigma


def check_height(height_m: float) -> None:
    """Refuse a height that nobody has.

    Raises:
        InputError: it is no number of metres between those of people.
    """
    low, high = HEIGHT_RANGE_M
    if not low <= height_m <= high:
        raise InputError(f"a person's height is {low} to {high} m, got {height_m}; the unit is metres")


def scale_from_height(rig: Rig, motion: Motion3D, height_m: float, *, person: int | None = None) -> Placed:
    """Scale a rig by the height of somebody in it. The top of the head is mostly no keypoint, hence 2 to 3 % at best.

    Args:
        rig: the cameras.
        motion: the people, in the rig's present world.
        height_m: the stature, without shoes.
        person: whose, as a place in `motion.ids`; needed if people of different heights are there.

    Raises:
        InputError: a height that nobody has, nobody to measure, or no word on whose height it is.
    """
    check_height(height_m)
    height, sigma = statures(motion)
    known = np.flatnonzero(np.isfinite(height))
    if person is not None and person not in known:
        raise InputError(
            f"person {person}: trunk and legs were not seen often enough to measure; those who were: "
            f"{', '.join(map(str, known)) or 'nobody'}"
        )
    if person is None:
        if not len(known):
            raise InputError("nobody was seen from shoulders to ankles often enough to measure a height")
        if height[known].max() > 1.08 * height[known].min():
            sizes = ", ".join(f"{n}: {height[n]:.2f}" for n in known)
            raise InputError(f"people of different heights ({sizes} in the rig's units): say whose height is given")
        person = int(known[0])
    scale = height_m / float(height[person])
    message = (
        f"person {person} measures {height[person]:.3f} in the rig's units and {height_m:.3f} m in truth; the scale is "
        f"good to about {sigma[person]:.1%}, because people differ in build"
    )
    placed = scale_by(rig, scale)
    messages = (message, *doubts(placed.rig, scale))
    return placed._replace(residual_mm=1000 * height_m * float(sigma[person]), messages=messages)


def board_sizes(
    rig: Rig, shots: Sequence[Mapping[str, BoardView]], board: Board | Sequence[Board]
) -> NDArray[np.float64]:
    """Return how large each shot's board comes out, as a ratio to the size given for it: (S,), NaN if unseen by two."""
    boards = list(board) if isinstance(board, Sequence) else [board] * len(shots)
    ratios = np.full(len(shots), np.nan)
    for s, (shot, one) in enumerate(zip(shots, boards, strict=True)):
        corners = np.asarray(one.corners, dtype=np.float64)
        xy = np.full((len(rig), len(corners), 2), np.nan)
        for c, name in enumerate(rig.names):
            if name in shot:
                xy[c, shot[name].ids] = shot[name].xy
        if (np.isfinite(xy[..., 0]).sum(axis=0) >= 2).sum() < 6:
            continue
        X = triangulate_points(rig, xy, options=TriangulateOptions(max_reproj_px=10.0)).X
        good = np.isfinite(X[:, 0])
        if good.sum() >= 6 and spread_of(corners[good])[1] > 0.05 * spread_of(corners[good])[0]:
            ratios[s] = fit_points(corners[good], X[good]).scale
    return ratios


def scale_from_board(rig: Rig, shots: Sequence[Mapping[str, BoardView]], board: Board | Sequence[Board]) -> Placed:
    """Scale a rig so that boards come out as large as they are.

    Raises:
        InputError: no board was seen by two cameras at once.
    """
    ratios = board_sizes(rig, shots, board)
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        raise InputError(
            "scale from a board: two cameras never see six of its corners at once, or do not agree on them"
        )
    middle = float(np.median(ratios))
    spread = 1.4826 * float(np.median(np.abs(ratios - middle))) / middle
    message = f"scale from {len(ratios)} boards: lengths were multiplied by {1 / middle:.4f}, spread {spread:.2%}"
    return scale_by(rig, 1 / middle)._replace(messages=(message,))
