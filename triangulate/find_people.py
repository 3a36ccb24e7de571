"""From the bodies in every image to people with an identity: the front door of association and tracking."""

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.triangulate.association import Sighting, associate
from triskel.triangulate.points import triangulate_points
from triskel.triangulate.tracking import Track, track


def find_people(
    rig: Rig,
    bodies: NDArray[np.float64],
    time_s: NDArray[np.float64],
    *,
    bound_px: float,
    least_views: int,
    least_share: float,
) -> list[Track]:
    """Find the people whom enough cameras agree on, and follow each over time.

    Args:
        rig: C cameras.
        bodies: (F, C, N, J, 3) raw px and score of the body's joints; their order N means nothing. Unused places have
            no joint with a score above 0.
        time_s: (F,) time of each frame set, s.
        bound_px: reprojection error in the largest image beyond which a joint does not agree, px.
        least_views: fewest cameras that must see a person.
        least_share: a person has at least this share of the frame sets that the best supported one has.

    Returns:
        One track a person, best supported first. No detection is in two of them.
    """
    frames = associate(rig, bodies, bound_px=bound_px, least_views=least_views)
    tracks = track(_with_centres(rig, bodies, frames), time_s)
    return [one for one in tracks if len(one) >= least_share * len(tracks[0])]


def _with_centres(rig: Rig, bodies: NDArray[np.float64], frames: list[list[Sighting]]) -> list[list[Sighting]]:
    """Return the sightings with their centres measured by all views that see them, not by the two that met best."""
    flat = [(f, sighting) for f, row in enumerate(frames) for sighting in row]
    if not flat:
        return frames
    seen = np.full((len(rig), len(flat), *bodies.shape[3:]), np.nan)
    for i, (f, sighting) in enumerate(flat):
        for c in np.flatnonzero(sighting.members >= 0):
            seen[c, i] = bodies[f, c, sighting.members[c]]
    X = triangulate_points(rig, seen[..., :2], np.nan_to_num(seen[..., 2])).X
    out: list[list[Sighting]] = [[] for _ in frames]
    for (f, sighting), joints in zip(flat, X, strict=True):
        found = joints[np.isfinite(joints[:, 0])]
        out[f].append(sighting._replace(centre=np.median(found, axis=0)) if len(found) else sighting)
    return out
