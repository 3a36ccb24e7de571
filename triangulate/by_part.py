"""People's points to 3D part by part: first the body, then hands and faces where the body says that they can be.

Each part has a noise of its own and so a bound of its own: 110 fine points must not set what counts as agreement for
the 25 of the body. And a network that looks for a hand draws one, if need be the other hand or somebody else's. Such a
view, which shows the part where the body does not have it, is left out before it can agree with another by chance.
"""

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Camera, Rig
from triskel.keypoints import Points3D
from triskel.projection import project
from triskel.skeleton import Skeleton
from triskel.triangulate.fine_parts import HEAD_M, PALM_M, REACH_M, anchors
from triskel.triangulate.medians import nanmedian
from triskel.triangulate.points import TriangulateOptions, triangulate_points
from triskel.whole_body import Part, parts_of

MIDDLE_M = {"left_hand": PALM_M, "right_hand": PALM_M, "face": HEAD_M}
"""How far the middle of a part may be from its place on the body."""

STEP_M = 0.02
SLACK = 1.15
"""A length in space looks at most so much longer in the image than such a step aside from the part's place on the
body: perspective."""


def triangulate_by_part(
    rig: Rig, skeleton: Skeleton, observed: NDArray[np.float64], options: TriangulateOptions
) -> Points3D:
    """Triangulate people that were told apart.

    Args:
        rig: C cameras.
        skeleton: names the J joints.
        observed: (C, F, N, J, 3) px and score of each person's joints, NaN = missing.
        options: what counts as agreement; an automatic bound is found for each part.

    Returns:
        The points (F, N, J), each part triangulated by itself.
    """
    parts = parts_of(skeleton)
    body = triangulate_points(rig, observed[..., parts["body"], :2], observed[..., parts["body"], 2], options=options)
    if len(parts) == 1:
        return body
    X = np.full((*observed.shape[1:4], 3), np.nan)
    X[:, :, parts["body"]] = body.X
    found = [body]
    for part, anchor in anchors(skeleton, X).items():
        seen = observed[..., parts[part], :]
        xy, score = seen[..., :2], seen[..., 2].copy()
        for camera, px, its_score in zip(rig, xy, score, strict=True):
            its_score[_out_of_place(camera, px, anchor, part)] = 0
        found.append(triangulate_points(rig, xy, score, options=options))
    order = np.argsort(np.concatenate(list(parts.values())))
    return Points3D(*(np.concatenate(arrays, axis=2)[:, :, order] for arrays in zip(*found, strict=True)))


def _out_of_place(
    camera: Camera, xy: NDArray[np.float64], anchor: NDArray[np.float64], part: Part
) -> NDArray[np.bool_]:
    """Return (F, N, P) True for points that, seen from here, cannot belong to a part that hangs on `anchor` (F, N, 3).

    All of them where the place on the body is unknown.
    """
    middle = project(camera, anchor)
    # Small steps: a metre aside there may be nothing that the lens shows.
    aside = (project(camera, anchor + STEP_M * axis) - middle for axis in camera.cam_from_world.R[:2])
    px_per_m = SLACK / STEP_M * np.fmax(*(np.linalg.norm(one, axis=-1) for one in aside))
    distance_m = np.linalg.norm(xy - middle[:, :, None], axis=-1) / px_per_m[..., None]
    elsewhere = nanmedian(distance_m, axis=-1) > MIDDLE_M[part]
    return np.asarray(~(distance_m <= REACH_M) | elsewhere[..., None])
