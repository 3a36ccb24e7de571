"""People in 3D followed from one frame set to the next: what can be known at the moment, for live use as well."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from triskel.camera import Rig
from triskel.lens import pack
from triskel.triangulate.medians import nanmedian
from triskel.triangulate.who.affinity import viewing_rays
from triskel.triangulate.who.association import FramePeople, find_in_frame
from triskel.triangulate.who.paths import Paths

LONGEST_GAP_S = 1.0
"""How long a person may go unseen and keep the identity."""

LOOSEST_M = 0.45
"""Joints expected worse than this say nothing about detections: the person is sought among the new ones instead."""

SLACK_M = 0.3
"""How far a person may be from where expected whatever the time: other joints are found each time."""

TURN_M_S = 2.5
FASTEST_M_S = 6.0
"""How far off, a second, somebody unseen may be from the straight way: walkers turn round. Whoever was in the set just
before may be farther off: where sets are seldom there is no way yet to be straight on."""

SAME_M = 0.15
SAME_S = 0.5
SAME_SETS = 8
"""Two people do not have half of their joints closer than this, nor their middles for as long as that, and in so many
frame sets on end: the second is made of doubled detections, or of half of the views of somebody seen badly."""

DOUBTFUL_GAP_S = 0.1
"""How long before the latest frame set somebody may have been seen last who is not confirmed."""

CONFIRMED = 3
"""Sightings of a person that is more than a chance agreement of false detections."""

FIRST_LOOKS = 3
"""How often the first people are sought anew with the noise just learnt."""

NOISE_FACTOR = 10.0
TIGHTEST_SHARE = 0.12
"""The bound is this many standard deviations of the noise found so far, but between that share of the bound asked for
and all of it: a few joints are far worse than most."""


class Sighting(NamedTuple):
    """One person in one frame set.

    Attributes:
        members: (C,) the person's place in each camera's detections, -1 where it is not seen.
        support: how much detections agree: sum of score * (1 - (error / bound)^2) over joints and views.
        X: (J, 3) the joints as all views that see them show them, m, NaN = unknown; good to follow people by, not
            refined.
    """

    members: NDArray[np.int64]
    support: float
    X: NDArray[np.float64]

    @property
    def centre(self) -> NDArray[np.float64]:
        """(3,) middle of the joints, m."""
        return np.asarray(np.median(self.X[np.isfinite(self.X[:, 0])], axis=0))


Track = dict[int, Sighting]
"""Frame index to sighting, of one person."""


class Followed(NamedTuple):
    """A person seen in the latest frame set.

    Attributes:
        id: stays with the person; never used again.
        confirmed: seen often enough to be no chance agreement.
        sighting: what was seen.
    """

    id: int
    confirmed: bool
    sighting: Sighting


class PeopleTracker:
    """Finds the people of each frame set in turn and tells who is who.

    It looks at no later frame. What only the whole session can tell (births earlier, pieces of one person, ghosts) is
    done by `find_people`.
    """

    def __init__(self, rig: Rig, joints: int, *, bound_px: float, least_views: int) -> None:
        """Start with nobody.

        `doubles` holds the identities that turned out to be a second one of somebody.

        Args:
            rig: C cameras.
            joints: J of the bodies.
            bound_px: reprojection error in the largest image beyond which a joint does not agree, px; in smaller
                images less. Tightened as soon as the detections show how precise they are.
            least_views: fewest cameras that must see a person for the first time; afterwards two will do.
        """
        self.view = RigRays(rig, bound_px=bound_px)
        self.paths = Paths(joints=joints)
        self.ids = np.empty(0, np.int64)
        self._least_views = least_views
        self._next_id = 0
        self._last_s = -np.inf
        self._together: dict[tuple[int, int], list[float]] = {}
        self.doubles: set[int] = set()

    def update(self, people: NDArray[np.float64], time_s: float) -> list[Followed]:
        """Take in one frame set.

        Args:
            people: (C, N, J, 3) raw px and score; their order N means nothing.
            time_s: its time, s, later than that of the one before.

        Returns:
            Those who are seen; no detection is in two of them.
        """
        self._forget(time_s)
        expected, slack_m = self.paths.expected(time_s)
        far = slack_m > LOOSEST_M
        hidden = expected.copy()
        hidden[far] = np.nan
        found = self.view.find(people, hidden, np.minimum(slack_m, LOOSEST_M), self._least_views)
        T = len(self.paths)
        views = np.count_nonzero(found.members >= 0, axis=1)
        row_of = np.full(len(found.members), -1)
        row_of[:T] = np.where(views[:T] > 0, np.arange(T), -1)
        fresh = np.flatnonzero(views[T:] >= self._least_views) + T
        self._relink(found, fresh, row_of, expected, time_s)
        fresh = fresh[row_of[fresh] < 0]
        old = np.flatnonzero(row_of >= 0)
        fresh = _not_doubled(found, fresh, old)
        self.paths.observe(row_of[old], found.X[old], time_s)
        row_of[fresh] = np.arange(len(fresh)) + T
        self.paths.add(found.X[fresh], time_s)
        self.ids = np.concatenate([self.ids, self._next_id + np.arange(len(fresh))])
        self._next_id += len(fresh)
        self._last_s = time_s
        people_seen = [
            Followed(
                int(self.ids[row_of[p]]),
                bool(self.paths.sightings[row_of[p]] >= CONFIRMED),
                Sighting(found.members[p], float(found.support[p]), found.X[p]),
            )
            for p in np.concatenate([old, fresh])
        ]
        self._drop_doubles(people_seen, time_s)
        return [one for one in people_seen if one.id not in self.doubles]

    def _drop_doubles(self, people: list[Followed], time_s: float) -> None:
        """Forget the later of two who have been in one place for long, and note it in `doubles`."""
        if len(people) < 2:
            self._together = {}
            return
        ids = np.array([one.id for one in people])
        middle = nanmedian(np.stack([one.sighting.X for one in people]), axis=1)
        near = np.linalg.norm(middle[:, None] - middle[None], axis=-1) < SAME_M
        pairs = {(int(a), int(b)) for a, b in ids[np.argwhere(near)] if a < b}
        self._together = {pair: [*self._together.get(pair, []), time_s] for pair in sorted(pairs)}
        gone = {b for (_, b), at_s in self._together.items() if len(at_s) >= SAME_SETS and time_s - at_s[0] >= SAME_S}
        if gone:
            self.doubles |= gone
            kept = ~np.isin(self.ids, list(gone))
            self.paths.select(kept)
            self.ids = self.ids[kept]

    def _forget(self, time_s: float) -> None:
        """Drop those unseen for too long, and those seen too seldom to be waited for."""
        # Whoever was in the latest frame set is known, however long ago that was.
        kept = (time_s - self.paths.seen_s <= LONGEST_GAP_S) | (self.paths.seen_s == self._last_s)
        kept &= (self.paths.sightings >= CONFIRMED) | (self._last_s - self.paths.seen_s <= DOUBTFUL_GAP_S)
        if not kept.all():
            self.paths.select(kept)
            self.ids = self.ids[kept]

    def _relink(
        self,
        found: FramePeople,
        fresh: NDArray[np.int64],
        row_of: NDArray[np.int64],
        expected: NDArray[np.float64],
        time_s: float,
    ) -> None:
        """Give new people the identity of those who went unseen and can have come there, nearest in total."""
        lost = np.setdiff1d(np.arange(len(self.paths)), row_of)
        if not len(lost) or not len(fresh):
            return
        distance = _distance(expected[lost], found.X[fresh])
        seen_s = self.paths.seen_s[lost]
        reach = SLACK_M + np.where(seen_s == self._last_s, FASTEST_M_S, TURN_M_S) * (time_s - seen_s)
        cost = np.where(distance <= reach[:, None], distance, 1e6)
        for i, j in zip(*linear_sum_assignment(cost), strict=True):
            if cost[i, j] < 1e6:
                row_of[fresh[j]] = lost[i]


class RigRays:
    """The rig as association sees it: where its cameras stand, and what angle is as much as the bound."""

    def __init__(self, rig: Rig, *, bound_px: float) -> None:
        """Start with the bound as given; see `PeopleTracker`."""
        self.cameras = np.stack([pack(camera) for camera in rig])
        self.origins = np.stack([camera.centre for camera in rig])
        side = np.sqrt([np.prod(camera.size_wh) for camera in rig])
        focal_px = np.sqrt([camera.K[0, 0] * camera.K[1, 1] for camera in rig])
        self.widest = bound_px * side / side.max() / focal_px
        self.share: float | None = None

    def find(
        self, people: NDArray[np.float64], expected: NDArray[np.float64], slack_m: NDArray[np.float64], least_views: int
    ) -> FramePeople:
        """Find the people of one frame set; see `find_in_frame`. Learns how precise the detections are."""
        rays = viewing_rays(self.cameras, np.ascontiguousarray(people, dtype=np.float64))
        found = self._find(rays, expected, slack_m, least_views)
        for _ in range(FIRST_LOOKS if self.share is None else 0):
            # Under a wide bound people are mixed up, so at first the usual error tells more than the worst.
            if not np.isfinite(found.error).any():
                break
            self.share = self._wanted(float(np.nanmedian(found.error)))
            found = self._find(rays, expected, slack_m, least_views)
        known = found.error[: len(expected)]
        self._learn(known if np.isfinite(known).any() else found.error)
        return found

    def _find(
        self, rays: NDArray[np.float64], expected: NDArray[np.float64], slack_m: NDArray[np.float64], least_views: int
    ) -> FramePeople:
        bounds = self.widest * (1.0 if self.share is None else self.share)
        return find_in_frame(
            self.origins, rays, bounds, np.ascontiguousarray(expected), np.ascontiguousarray(slack_m), least_views
        )

    def _learn(self, errors: NDArray[np.float64]) -> None:
        """Follow the noise of who is seen worst: a bound for the others would tear that person's views apart.

        An error is a median of Rayleigh-distributed ones, 1.18 standard deviations, over the present bound.
        """
        errors = errors[np.isfinite(errors)]
        if len(errors) and self.share is not None:
            self.share = 0.9 * self.share + 0.1 * self._wanted(float(errors.max()))

    def _wanted(self, error: float) -> float:
        """Return the share that suits an error measured under the present one."""
        present = 1.0 if self.share is None else self.share
        return float(np.clip(NOISE_FACTOR * error / 1.18 * present, TIGHTEST_SHARE, 1.0))


def _distance(X: NDArray[np.float64], Y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (P, Q) how far people X (P, J, 3) and Y (Q, J, 3) are apart, m.

    That is the median over the joints that both have, else the distance of their middles.
    """
    joints = nanmedian(np.linalg.norm(X[:, None] - Y[None], axis=-1), axis=-1)
    middles = np.linalg.norm(nanmedian(X, axis=1)[:, None] - nanmedian(Y, axis=1)[None], axis=-1)
    return np.asarray(np.where(np.isfinite(joints), joints, middles))


def _not_doubled(found: FramePeople, fresh: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those of the `fresh` who do not stand where one of the `known` or a better supported fresh one does."""
    if not len(fresh):
        return fresh
    order = fresh[np.argsort(-found.support[fresh], kind="stable")]
    others = np.concatenate([known, order])
    same = _distance(found.X[order], found.X[others]) < SAME_M
    kept: list[int] = []
    for k in range(len(order)):
        before = np.r_[np.arange(len(known)), len(known) + np.array(kept, dtype=np.int64)].astype(np.int64)
        if not same[k, before].any():
            kept.append(k)
    return np.sort(order[kept])
