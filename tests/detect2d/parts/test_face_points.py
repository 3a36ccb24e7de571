import numpy as np

from triskel.detect2d.parts.face_points import (
    BRIDGE,
    BROW_LOWER,
    BROW_UPPER,
    JAW_LEFT,
    JAW_RIGHT,
    LEFT_EYE,
    RIGHT_EYE,
    along,
    face_70,
)


def test_places_along_a_line_are_at_equal_lengths():
    line = np.array([[[0.0, 0, 0], [3, 0, 0], [3, 0, 1], [3, 4, 1]]])  # 3 + 1 + 4
    assert np.allclose(along(line, 5), [[[0, 0, 0], [2, 0, 0], [3, 0, 1], [3, 2, 1], [3, 4, 1]]])
    assert np.isfinite(along(np.zeros((2, 4, 3)), 3)).all()
    assert along(np.zeros((0, 4, 3)), 3).shape == (0, 3, 3)


def test_lengths_are_those_of_the_turned_face_too():
    rng = np.random.default_rng(1)
    line = rng.normal(size=(1, 6, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert np.allclose(along(line @ turn, 4), along(line, 4) @ turn)


def test_each_group_takes_its_vertices():
    mesh = np.random.default_rng(2).normal(size=(2, 468, 3))
    points = face_70(mesh)
    assert points.shape == (2, 70, 2)
    flat = mesh[..., :2]
    for point, vertex in ((0, JAW_RIGHT[0]), (8, 152), (16, JAW_LEFT[0]), (27, BRIDGE[0]), (30, BRIDGE[-1])):
        assert np.allclose(points[:, point], flat[:, vertex])
    for point, vertex in ((33, 2), (36, 33), (39, 133), (42, 362), (45, 263), (48, 61), (54, 291), (60, 78), (64, 308)):
        assert np.allclose(points[:, point], flat[:, vertex])
    assert np.allclose(points[:, 17], (flat[:, BROW_UPPER[0]] + flat[:, BROW_LOWER[0]]) / 2)
    assert np.allclose(points[:, 68], flat[:, RIGHT_EYE].mean(axis=1))
    assert np.allclose(points[:, 69], flat[:, LEFT_EYE].mean(axis=1))
