import numpy as np
import pytest

from triskel.lens import pack
from triskel.projection import project_rig
from triskel.triangulate.who.affinity import viewing_rays
from triskel.triangulate.who.association import find_in_frame

J = 20
NOBODY = np.zeros((0, J, 3))


def person(rng):
    return rng.uniform([-0.3, -0.2, -0.8], [0.3, 0.2, 0.8], (J, 3))


@pytest.fixture
def room(ring):
    """Three people in six cameras, 2 px noise: origins, rays (C, 3, J, 4), bounds of 40 px, truth. Person n is in
    place n of every camera."""
    rng = np.random.default_rng(1)
    rig = ring(6)
    X = np.stack([person(rng) + np.array([0.6 * k - 0.6, 0.3 * k - 0.3, 1.0]) for k in range(3)])
    xy = project_rig(rig, X) + rng.normal(0, 2, (6, 3, J, 2))
    cameras = np.stack([pack(camera) for camera in rig])
    rays = viewing_rays(cameras, np.concatenate([xy, np.full((6, 3, J, 1), 0.8)], axis=-1))
    return np.stack([camera.centre for camera in rig]), rays, np.full(6, 40 / 900), X


def find(room, expected=NOBODY, slack_m=0.1, least_views=3, rays=None):
    origins, there, bounds, _ = room
    slack = np.full(len(expected), slack_m)
    return find_in_frame(origins, there if rays is None else rays, bounds, expected, slack, least_views)


def test_people_are_found_without_knowing_anything(room):
    found = find(room)
    assert sorted(found.members.tolist()) == [[n] * 6 for n in range(3)]
    for members, X in zip(found.members, found.X, strict=True):
        assert np.linalg.norm(X - room[3][members[0]], axis=-1).max() < 0.02
    assert found.support == pytest.approx(np.full(3, 6 * J * 0.8), rel=0.03)
    assert found.error == pytest.approx(np.full(3, 1.18 * 2 / 40), rel=0.25)  # the median of a length, 2 px of 40


def test_those_who_are_expected_come_first_and_new_ones_after(room):
    found = find(room, room[3][[2, 0]])
    assert found.members.tolist() == [[2] * 6, [0] * 6, [1] * 6]


def test_nobody_new_is_looked_for_when_not_asked(room):
    assert find(room, room[3][[2]], least_views=0).members.tolist() == [[2] * 6]
    assert find(room, least_views=0).members.shape == (0, 6)


def test_somebody_expected_who_is_not_there_takes_nobody_elses_detections(room):
    found = find(room, np.concatenate([room[3][:1] + np.array([0, 0.7, 0]), room[3]]))
    assert found.members.tolist() == [[-1] * 6, [0] * 6, [1] * 6, [2] * 6]
    assert np.isnan(found.X[0]).all()


def test_a_false_view_is_released_whatever_was_expected(room):
    """One camera shows a wrong body where the person is expected: the others do not meet it."""
    rays = room[1].copy()
    turned = rays[4, 0, ::-1].copy()
    rays[4, 0] = turned
    found = find(room, room[3][:1], slack_m=0.5, rays=rays, least_views=0)
    assert found.members.tolist() == [[0, 0, 0, 0, -1, 0]]
    assert np.linalg.norm(found.X[0] - room[3][0], axis=-1).max() < 0.02


def test_of_views_of_two_people_those_that_agree_are_kept(room):
    """Expected halfway between two people: all that is taken is of one of them, and the other is found as new."""
    halfway = 0.5 * (room[3][0] + room[3][1])
    found = find(room, halfway[None], slack_m=0.6)
    for row in found.members:
        assert len({int(n) for n in row if n >= 0}) <= 1
    assert sorted(int(row.max()) for row in found.members if row.max() >= 0) == [0, 1, 2]


def test_two_of_six_cameras_are_no_new_person_but_enough_for_a_known_one(room):
    rays = room[1].copy()
    rays[[0, 2, 3, 5], 1] = 0
    assert sorted(find(room, rays=rays).members[:, 1].tolist()) == [0, 2]
    found = find(room, room[3][[1]], rays=rays)
    assert found.members[0].tolist() == [-1, 1, -1, -1, 1, -1]


def test_an_empty_frame_has_nobody(room):
    found = find(room, rays=np.zeros((6, 0, J, 4)))
    assert found.members.shape == (0, 6)
    assert found.error.shape == (0,)
    found = find(room, room[3], rays=np.zeros((6, 0, J, 4)))
    assert (found.members == -1).all()
    assert found.members.shape == (3, 6)
    assert np.isnan(found.error).all()
