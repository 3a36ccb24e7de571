import numpy as np
import pytest

from triskel.lens import pack
from triskel.projection import project_rig
from triskel.triangulate.who.affinity import body_agrees, body_of, rays_agree, squared_error, viewing_rays

BOUND = 0.02
NOWHERE = np.full((12, 3), np.nan)


@pytest.fixture
def seen(ring, points_inside):
    """Two people of 12 joints in four cameras without noise: camera centres, rays (C, 2, 12, 4), truth (2, 12, 3)."""
    rig, X = ring(4), points_inside(2, 12)
    xy = project_rig(rig, X)
    rays = viewing_rays(
        np.stack([pack(camera) for camera in rig]), np.concatenate([xy, np.full((4, 2, 12, 1), 0.8)], -1)
    )
    return np.stack([camera.centre for camera in rig]), rays, X


def test_rays_pass_through_what_was_seen_and_missing_joints_have_none(seen, ring):
    origins, rays, X = seen
    for c in range(4):
        for j in range(12):
            assert squared_error(origins[c], rays[c, 0, j], X[0, j], BOUND, 0.0) < 1e-10
    gone = np.full((4, 1, 12, 3), np.nan)
    gone[..., 2] = 0
    assert (viewing_rays(np.stack([pack(camera) for camera in ring(4)]), gone) == 0).all()


def test_an_error_of_the_bound_is_one_and_behind_the_camera_it_is_infinite():
    origin, ray = np.zeros(3), np.array([0.0, 1.0, 0.0, 0.8])
    assert squared_error(origin, ray, np.array([4 * 0.02, 4.0, 0.0]), 0.02, 0.0) == pytest.approx(1.0)
    assert squared_error(origin, ray, np.array([0.18, 4.0, 0.0]), 0.02, 0.1) == pytest.approx(1.0)
    assert squared_error(origin, ray, np.array([0.0, -4.0, 0.0]), 0.02, 0.0) == np.inf


def test_views_of_one_person_agree_and_of_two_people_do_not(seen):
    origins, rays, X = seen
    assert rays_agree(origins[0], rays[0, 0], BOUND, origins[1], rays[1, 0], BOUND) == pytest.approx(1.0, abs=1e-9)
    assert rays_agree(origins[0], rays[0, 0], BOUND, origins[1], rays[1, 1], BOUND) < 0.3
    gained, possible = body_agrees(origins[2], rays[2, 0], X[0], BOUND, 0.0)
    assert gained == pytest.approx(possible) == pytest.approx(12 * 0.8)
    assert body_agrees(origins[2], rays[2, 1], X[0], BOUND, 0.0)[0] < 0.3 * possible


def test_three_shared_joints_say_nothing(seen):
    origins, rays, X = seen
    few = rays[1, 0].copy()
    few[3:] = 0
    assert rays_agree(origins[0], rays[0, 0], BOUND, origins[1], few, BOUND) == 0
    assert body_agrees(origins[1], few, X[0], BOUND, 0.0)[0] == 0


def body(seen, members, prior=NOWHERE, rays=None):
    origins, there, _ = seen
    X = np.empty((12, 3))
    body_of(origins, there if rays is None else rays, np.full(4, BOUND), np.array(members), prior, 0.1, X)
    return X


def test_joints_are_where_the_rays_meet(seen):
    np.testing.assert_allclose(body(seen, [0, 0, 0, 0]), seen[2][0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(body(seen, [1, -1, 1, -1]), seen[2][1], rtol=0, atol=1e-6)
    assert np.isnan(body(seen, [0, -1, -1, -1])).all()


def test_a_view_far_off_is_left_out(seen):
    rays = seen[1].copy()
    rays[3, 0] = rays[3, 1]  # somebody else
    error = np.linalg.norm(body(seen, [0, 0, 0, 0], rays=rays) - seen[2][0], axis=-1)
    assert np.nanmedian(error) < np.nanmedian(np.linalg.norm(seen[2][1] - seen[2][0], axis=-1)) / 10


def test_what_was_expected_decides_only_where_the_views_do_not(seen):
    """A decimetre beside the truth it moves four views' joints by millimetres; of parallel rays it is all there is."""
    _, rays, X = seen
    expected = X[0] + np.array([0.1, 0, 0])
    assert np.linalg.norm(body(seen, [0, 0, 0, 0], expected) - X[0], axis=-1).max() < 0.01
    along = np.array([1.0, 0, 0, 0.8])
    parallel = np.broadcast_to(along, rays.shape).copy()
    here = np.array([[-3.0, 0, 1], [3.0, 0, 1], [0, 0, 1], [0, 0, 1]])
    parallel[1, ..., 0] = -1
    joints = np.broadcast_to([0.4, 0.0, 1.0], (12, 3)).copy()
    assert np.isnan(body((here, parallel, X), [0, 0, -1, -1])).all()
    np.testing.assert_allclose(body((here, parallel, X), [0, 0, -1, -1], joints), joints, rtol=0, atol=1e-3)
