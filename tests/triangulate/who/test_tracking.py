import numpy as np
import pytest

from triskel.projection import project_rig
from triskel.triangulate.who.tracking import CONFIRMED, LONGEST_GAP_S, PeopleTracker

J, DT = 16, 1 / 30


@pytest.fixture
def pair(ring):
    """A rig of five, and two people (F, 2, J, 3) who pass each other at 0.3 m, 1 m/s each."""
    rng = np.random.default_rng(3)
    bodies = rng.uniform([-0.3, -0.2, -0.8], [0.3, 0.2, 0.8], (2, J, 3))
    along = (np.arange(45) - 22)[:, None] * DT
    way = np.stack([np.c_[along, 0 * along + 0.15, 0 * along + 1], np.c_[-along, 0 * along - 0.15, 0 * along + 1]], 1)
    return ring(5), way[:, :, None] + bodies


def seen(rig, X, *, noise_px=2.0, seed=0):
    """Return the detections (F, C, N, J, 3) of people X (F, N, J, 3), places shuffled in each image."""
    rng = np.random.default_rng(seed)
    xy = np.moveaxis(project_rig(rig, X), 0, 1)
    keypoints = np.concatenate([xy + rng.normal(0, noise_px, xy.shape), np.full((*xy.shape[:-1], 1), 0.8)], axis=-1)
    keypoints[np.isnan(keypoints[..., 0])] = (np.nan, np.nan, 0)
    order = np.argsort(rng.random(keypoints.shape[:3]), axis=-1)
    return np.take_along_axis(keypoints, order[..., None, None], axis=2)


def tracker(rig, **options):
    return PeopleTracker(rig, J, **{"bound_px": 60.0, "least_views": 3} | options)


def ids_near(found, X):
    """Return for each person of X (N, J, 3) the identity of who was found there."""
    middle = np.stack([one.sighting.centre for one in found])
    return [found[np.linalg.norm(middle - np.median(joints, axis=0), axis=-1).argmin()].id for joints in X]


def test_people_who_pass_each_other_keep_their_identities(pair):
    rig, X = pair
    live = tracker(rig)
    found = [live.update(people, f * DT) for f, people in enumerate(seen(rig, X))]
    assert [len(row) for row in found] == [2] * len(X)
    first = ids_near(found[0], X[0])
    assert sorted(first) == [0, 1]
    assert ids_near(found[-1], X[-1]) == first
    for f, row in enumerate(found):
        for one in row:
            n = first.index(one.id)
            assert np.linalg.norm(one.sighting.X - X[f, n], axis=-1).max() < 0.05


def test_somebody_is_confirmed_when_seen_often_enough(pair):
    rig, X = pair
    live = tracker(rig)
    confirmed = [live.update(people, f * DT)[0].confirmed for f, people in enumerate(seen(rig, X)[: CONFIRMED + 1])]
    assert confirmed == [False] * (CONFIRMED - 1) + [True] * 2


@pytest.mark.parametrize(("away_s", "same"), [(0.4, True), (LONGEST_GAP_S + 0.2, False)])
def test_a_person_may_go_unseen_for_a_while_and_keep_the_identity(pair, away_s, same):
    rig, X = pair
    detections, live, time_s = seen(rig, X[:, :1]), tracker(rig), 0.0
    nobody = np.full((5, 0, J, 3), np.nan)
    for people in detections[:10]:
        before = live.update(people, time_s)[0].id
        time_s += DT
    for _ in range(round(away_s / DT)):
        assert live.update(nobody, time_s) == []
        time_s += DT
    waiting = X[9:10, :1] + np.array([0.5 * away_s, 0, 0])  # slower than before
    after = live.update(seen(rig, waiting)[0], time_s)[0].id
    assert (after == before) == same


def test_somebody_elsewhere_a_moment_later_is_somebody_else(pair):
    rig, X = pair
    live = tracker(rig)
    for f, people in enumerate(seen(rig, X[:10, :1])):
        live.update(people, f * DT)
    live.update(np.full((5, 0, J, 3), np.nan), 10 * DT)
    elsewhere = live.update(seen(rig, X[10:11, :1] + np.array([0, 1.2, 0]))[0], 11 * DT)
    assert [one.id for one in elsewhere] == [1]


def test_a_chance_agreement_is_not_waited_for(pair):
    """Seen once, then away for more than a moment: whoever comes there later is new."""
    rig, X = pair
    live, nobody = tracker(rig), np.full((5, 0, J, 3), np.nan)
    assert live.update(seen(rig, X[:1, :1])[0], 0.0)[0].id == 0
    for k in range(1, 8):
        live.update(nobody, k * DT)
    assert live.update(seen(rig, X[:1, :1])[0], 8 * DT)[0].id == 1


def test_of_two_in_one_place_for_long_the_later_is_forgotten(pair):
    """Both get enough views of their own: a detector that finds the person twice, 0.2 m apart at first."""
    rig, X = pair
    live, ids = tracker(rig), []
    aside = np.clip(np.linspace(0.3, -0.2, 45), 0.05, None)[:, None, None] * np.array([0, 0, 1.0])
    twice = np.stack([X[:, 0], X[:, 0] + aside], axis=1)
    for f, people in enumerate(seen(rig, twice)):
        ids.append({one.id for one in live.update(people, f * DT)})
    assert ids[0] == {0, 1}
    assert len(ids[-1]) == 1
    assert live.doubles == {0, 1} - ids[-1] == {1}


def test_precise_detections_tighten_the_bound_and_coarse_ones_widen_it(pair):
    rig, X = pair
    share = {}
    for noise_px in (1.0, 3.0, 20.0):
        live = tracker(rig)
        for f, people in enumerate(seen(rig, X[:12], noise_px=noise_px)):
            live.update(people, f * DT)
        share[noise_px] = live.view.share
    assert share[1.0] == pytest.approx(10 * 1.0 / 60, rel=0.35)
    assert share[3.0] == pytest.approx(10 * 3.0 / 60, rel=0.35)
    assert share[20.0] == 1.0


def test_nobody_is_no_one(pair):
    live = tracker(pair[0])
    nobody = np.full((5, 2, J, 3), np.nan)
    nobody[..., 2] = 0
    assert live.update(nobody, 0.0) == []
    assert live.update(nobody, 0.0) == []
    assert live.view.share is None
