import time

import numpy as np
import pytest

from triskel.projection import project_rig
from triskel.triangulate.who.identities import LONGEST_BREAK_S, look_back, stitch, without_ghosts
from triskel.triangulate.who.tracking import PeopleTracker, RigRays, Sighting

J, DT = 12, 0.1
SECONDS = np.arange(60) * DT
BODY = np.random.default_rng(0).uniform([-0.3, -0.2, -0.8], [0.3, 0.2, 0.8], (J, 3))


def sighting(x, *, support=1.0):
    return Sighting(np.zeros(4, np.int64), support, BODY + np.array([x, 0, 1.0]))


def walk(frames, x0, speed_m_s=1.0, **more):
    return {f: sighting(x0 + speed_m_s * DT * (f - frames[0]), **more) for f in frames}


def stitched(*tracks, frames=60):
    return sorted(sorted(one) for one in stitch(list(tracks), np.arange(frames) * DT))


def test_pieces_of_one_way_are_one_person():
    before, after = walk(range(10), 0.0), walk(range(15, 30), 1.3)
    assert stitched(after, before) == [[*range(10), *range(15, 30)]]


def test_three_pieces_are_one_person():
    pieces = walk(range(5), 0.0), walk(range(8, 12), 0.8), walk(range(15, 20), 1.5)
    assert stitched(*pieces) == [[*range(5), *range(8, 12), *range(15, 20)]]


def test_too_far_too_late_or_at_the_same_time_is_somebody_else():
    first = walk(range(10), 0.0)
    assert len(stitched(first, walk(range(12, 20), 3.0))) == 2
    late = 10 + round(LONGEST_BREAK_S / DT)
    assert len(stitched(first, walk(range(late, late + 9), 1.0))) == 2
    assert len(stitched(first, walk(range(9, 20), 1.0))) == 2


def test_of_two_who_could_go_on_the_nearer_in_total_does():
    one, other = walk(range(10), 0.0, 0.0), walk(range(10), 1.0, 0.0)
    found = stitch([one, other, walk(range(12, 20), 0.9, 0.0), walk(range(12, 20), 0.2, 0.0)], np.arange(60) * DT)
    ends = sorted((round(t[0].centre[0] - t[19].centre[0], 6)) for t in found)
    assert ends == pytest.approx([-0.2, 0.1])


def test_ghosts_are_those_seen_too_seldom():
    person, short, twice = walk(range(40), 0.0), walk(range(10), 3.0), walk(range(2), -3.0)
    kept = [len(one) for one in without_ghosts([twice, short, person], SECONDS, least_seen_s=0.0)]
    assert kept == [40, 10]
    assert [len(one) for one in without_ghosts([short, person], SECONDS, least_seen_s=1.2)] == [40]
    assert len(without_ghosts([walk(range(1), 0.0)], np.zeros(1), least_seen_s=0.2)) == 1
    assert without_ghosts([], SECONDS, least_seen_s=0.2) == []


def test_the_best_supported_person_comes_first():
    weak, strong = walk(range(20), 0.0), walk(range(15), 3.0, support=2.0)
    assert [len(one) for one in without_ghosts([weak, strong], SECONDS, least_seen_s=0.2)] == [15, 20]


def test_looking_back_finds_what_two_cameras_saw_before_the_third(ring):
    """Also in a gap; but not where only one camera saw the person, nor what somebody else has."""
    rig, F, rng = ring(4), 30, np.random.default_rng(1)
    X = np.stack([BODY + np.array([0.02 * f - 0.3, 0, 1.0]) for f in range(F)])
    xy = np.moveaxis(project_rig(rig, X), 0, 1) + rng.normal(0, 1, (F, 4, J, 2))
    bodies = np.concatenate([xy, np.full((F, 4, J, 1), 0.8)], axis=-1)[:, :, None]
    bodies[:12, [1, 3]] = (np.nan, np.nan, 0)
    bodies[:4, 0] = (np.nan, np.nan, 0)
    time_s = np.arange(F) / 30
    live, track = PeopleTracker(rig, J, bound_px=60.0, least_views=3), {}
    for f in range(F):
        for one in live.update(bodies[f], float(time_s[f])):
            track[f] = one.sighting
    assert min(track) == 12
    del track[20]
    look_back(RigRays(rig, bound_px=60.0), bodies, time_s, [track])
    assert sorted(track) == list(range(4, 30))
    assert track[5].members.tolist() == [0, -1, 0, -1]
    assert max(np.linalg.norm(track[f].X - X[f], axis=-1).max() for f in track) < 0.05
    taken = {f: track[f] for f in range(4, 12)}
    later = {f: track[f] for f in range(12, 30)}
    look_back(RigRays(rig, bound_px=60.0), bodies, time_s, [taken, later])
    assert min(later) == 12


def test_many_pieces_take_time_in_proportion():
    """Four times as many over four times as long: each has as many that can follow it."""
    seconds = {}
    for n in (500, 2000):
        rng = np.random.default_rng(0)
        begins = np.sort(rng.integers(0, 20 * n, n)).tolist()
        pieces = [walk(range(f, f + 3), float(rng.uniform(-3, 3))) for f in begins]
        started = time.process_time()
        stitch(pieces, np.arange(20 * n + 10) * DT)
        seconds[n] = time.process_time() - started
    assert seconds[2000] < 10 * seconds[500] + 0.5
