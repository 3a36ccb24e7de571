"""From the bodies in every image to people with an identity: the front door of association and tracking."""

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.triangulate.who.identities import look_back, stitch, without_ghosts
from triskel.triangulate.who.tracking import PeopleTracker, Track


def find_people(
    rig: Rig,
    bodies: NDArray[np.float64],
    time_s: NDArray[np.float64],
    *,
    bound_px: float,
    least_views: int,
    least_seen_s: float,
) -> list[Track]:
    """Find the people whom enough cameras agree on, and follow each over time.

    Frame set by frame set as `PeopleTracker` does it live; then what only the whole session tells: sightings before
    enough cameras saw a person, pieces of one person, people who were none.

    Args:
        rig: C cameras.
        bodies: (F, C, N, J, 3) raw px and score of the body's joints; their order N means nothing. Unused places have
            no joint with a score above 0.
        time_s: (F,) time of each frame set, s, ascending.
        bound_px: reprojection error in the largest image beyond which a joint does not agree, px.
        least_views: fewest cameras that must see a person for the first time; a known one is followed with two.
        least_seen_s: a person is seen for at least this time in all, s.

    Returns:
        One track a person, best supported first. No detection is in two of them.
    """
    # Sets that nobody looked at, or in which no camera saw anybody, say nothing against a person who is in the rest.
    looked_at = np.flatnonzero((bodies[..., 2] > 0).any(axis=(1, 2, 3)))
    bodies, time_s = bodies[looked_at], np.asarray(time_s, dtype=np.float64)[looked_at]
    tracker = PeopleTracker(rig, bodies.shape[3], bound_px=bound_px, least_views=least_views)
    by_id: dict[int, Track] = {}
    for f, people in enumerate(bodies):
        for person in tracker.update(people, float(time_s[f])):
            by_id.setdefault(person.id, {})[f] = person.sighting
    singles = [one for number, one in by_id.items() if number not in tracker.doubles]
    tracks = without_ghosts(singles, time_s, least_seen_s=0.0)
    look_back(tracker.view, bodies, time_s, tracks)
    tracks = without_ghosts(stitch(tracks, time_s), time_s, least_seen_s=least_seen_s)
    return [{int(looked_at[f]): sighting for f, sighting in one.items()} for one in tracks]
