import numpy as np
import pytest

from triskel.triangulate.association import Sighting
from triskel.triangulate.tracking import FASTEST_M_S, LONGEST_GAP_S, SLACK_M, track


def sighting(x, *, y=0.0, support=1.0):
    return Sighting(np.zeros(2, np.int64), support, np.array([x, y, 1.0]))


def paths(frames, times):
    return [{f: float(one[f].centre[0]) for f in sorted(one)} for one in track(frames, np.asarray(times))]


def test_shuffled_sightings_are_linked_to_the_nearest():
    frames = [[sighting(0.0), sighting(3.0)], [sighting(2.9), sighting(0.1)], [sighting(0.2), sighting(2.8)]]
    found = paths(frames, [0, 0.1, 0.2])
    assert sorted(found, key=lambda one: one[0]) == [{0: 0.0, 1: 0.1, 2: 0.2}, {0: 3.0, 1: 2.9, 2: 2.8}]


def test_links_are_least_in_total_not_one_by_one():
    """0.5 is within reach of both and close to the first too, but then the second had to jump 1.1 m."""
    frames = [[sighting(0.0), sighting(0.6)], [sighting(0.5), sighting(-0.5)]]
    assert {tuple(one.values()) for one in paths(frames, [0, 0.1])} == {(0.0, -0.5), (0.6, 0.5)}


def test_a_person_may_go_unseen_for_a_while_and_keep_the_identity():
    frames = [[sighting(0.0)], [], [sighting(0.1)]]
    assert paths(frames, [0, 0.5, LONGEST_GAP_S - 0.01]) == [{0: 0.0, 2: 0.1}]
    assert len(paths(frames, [0, 0.5, LONGEST_GAP_S + 0.01])) == 2


@pytest.mark.parametrize(("beyond", "tracks"), [(-0.01, 1), (0.01, 2)])
def test_a_jump_faster_than_people_move_is_another_person(beyond, tracks):
    reach = SLACK_M + FASTEST_M_S * 0.1
    assert len(paths([[sighting(0.0)], [sighting(reach + beyond)]], [0, 0.1])) == tracks


def test_the_best_supported_track_comes_first():
    weak = [sighting(0.0, support=1.0)]
    frames = [[*weak, sighting(3.0, support=5.0)], weak, weak]
    assert [one[0] for one in paths(frames, [0, 0.1, 0.2])] == [3.0, 0.0]


def test_nobody_gives_no_tracks():
    assert track([[], []], np.array([0, 0.1])) == []
