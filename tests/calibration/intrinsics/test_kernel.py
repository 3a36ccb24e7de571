import numpy as np
import pytest

from triskel import Camera, lens
from triskel.calibration.intrinsics import kernel
from triskel.calibration.intrinsics.belief import belief_in
from triskel.calibration.intrinsics.models import LENSES, by_name, candidates, reason_against

K = np.array([[800.0, 0, 639.5], [0, 790, 359.5], [0, 0, 1]])
DISTS = {
    "pinhole0": [],
    "pinhole1": [-0.2, 0, 0, 0],
    "pinhole4": [-0.2, 0.05, 0.002, -0.001],
    "pinhole5": [-0.2, 0.05, 0.002, -0.001, 0.02],
    "pinhole8": [0.3, -0.1, 0.002, -0.001, 0.05, 0.4, -0.05, 0.03],
    "fisheye": [0.05, -0.02, 0.01, -0.003],
}


def packed_of(name):
    return lens.pack(Camera(name="x", size_wh=(1280, 720), K=K, dist=np.array(DISTS[name]), model=by_name(name).model))


@pytest.mark.parametrize("name", DISTS)
def test_derivatives_by_the_lens_and_the_pose_are_those_of_finite_differences(name):
    spec, packed = by_name(name), packed_of(name)
    rng = np.random.default_rng(0)
    X = np.c_[rng.uniform(-0.3, 0.3, (5, 2)), np.zeros(5)]
    R, t = np.linalg.qr(rng.normal(size=(3, 3)))[0], np.array([0.1, -0.05, 0.9])
    R = (R * np.sign(np.linalg.det(R)))[None]
    t, view, use = t[None], np.zeros(5, dtype=np.int64), np.ones(5, dtype=bool)
    xy = kernel.residuals(packed, R, t, X, np.zeros((5, 2)), view) * -1 + 0.4
    H, g = kernel.normal_equations(packed, spec.n_dist, R, t, X, xy, view, use, 1e6)

    def loss(step):
        moved, R_to, t_to = packed.copy(), np.empty_like(R), np.empty_like(t)
        kernel.turned(R, t, step[None, :6], R_to, t_to)
        moved[:4] += step[6:10]
        moved[lens.DIST : lens.DIST + spec.n_dist] += step[10:]
        return kernel.view_losses(moved, R_to, t_to, X, xy, view, use, 1e6)[0]

    n = 10 + spec.n_dist
    sizes = np.r_[np.full(6, 1e-5), np.full(4, 1e-2), np.full(spec.n_dist, 1e-5)]
    numeric = [(loss(h * e) - loss(-h * e)) / (2 * h) for h, e in zip(sizes, np.eye(n), strict=True)]
    np.testing.assert_allclose(g[0], numeric, rtol=1e-5, atol=1e-5 * np.abs(g[0]).max())
    np.testing.assert_allclose(H[0], H[0].T)
    assert (np.linalg.eigvalsh(H[0]) > -1e-9 * np.abs(H[0]).max()).all()


@pytest.mark.parametrize("name", ["pinhole4", "pinhole5", "fisheye", "pinhole8"])
def test_the_pull_of_the_belief_is_the_slope_of_its_loss(name):
    spec, packed = by_name(name), packed_of(name)
    packed[lens.DIST] = -0.7  # folds: the slope counts too
    belief = belief_in(packed, size_wh=(1280, 720), noise_px=0.3)
    loss, gradient, _ = belief.pull(packed, spec.n_dist)
    assert loss > 0
    places = [*range(4), *range(lens.DIST, lens.DIST + spec.n_dist)]
    for i, place in enumerate(places):
        up, down = packed.copy(), packed.copy()
        up[place] += 1e-5
        down[place] -= 1e-5
        numeric = (belief.pull(up, spec.n_dist)[0] - belief.pull(down, spec.n_dist)[0]) / 2e-5
        assert gradient[i] == pytest.approx(numeric, rel=1e-4, abs=1e-3)


def test_a_pose_alone_is_found_from_nearby():
    packed, rng = packed_of("pinhole5"), np.random.default_rng(0)
    X = np.c_[rng.uniform(-0.3, 0.3, (20, 2)), np.zeros(20)]
    R, t = np.eye(3)[None], np.array([[0.1, -0.05, 0.9]])
    view, starts = np.zeros(20, dtype=np.int64), np.array([0, 20])
    xy = -kernel.residuals(packed, R, t, X, np.zeros((20, 2)), view)
    R_off, t_off = np.empty_like(R), np.empty_like(t)
    kernel.turned(R, t, np.array([[0.1, -0.05, 0.2, 0.02, 0.03, -0.1]]), R_off, t_off)
    R_found, t_found = kernel.fit_poses(packed, R_off, t_off, X, xy, starts, np.ones(20, dtype=bool), 5.0, 50)
    np.testing.assert_allclose(R_found, R, atol=1e-6)
    np.testing.assert_allclose(t_found, t, atol=1e-6)


def test_lenses_that_cannot_be_real_are_told_by_name():
    def reason(K=K, dist=(), model="pinhole"):
        camera = Camera(name="x", size_wh=(1280, 720), K=K, dist=np.array(dist), model=model)
        return reason_against(camera, radius_seen_px=600)

    assert reason() == ""
    assert "folds inside the image" in reason(dist=(-0.6, 0, 0, 0))
    assert "absurd" in reason(K=K * [[1e3, 1, 1], [1, 1e3, 1], [1, 1, 1]])
    assert "differ too much" in reason(K=K * [[1, 1, 1], [1, 1.5, 1], [1, 1, 1]])
    assert "far from the middle" in reason(K=K + np.array([[0, 0, 600], [0, 0, 0], [0, 0, 0]]))


def test_a_choice_names_its_candidates():
    assert candidates("auto") == LENSES
    assert [spec.name for spec in candidates("fisheye")] == ["fisheye"]
    assert [spec.name for spec in candidates("pinhole4")] == ["pinhole4"]
    assert [spec.name for spec in candidates("pinhole")] == [f"pinhole{n}" for n in (0, 1, 4, 5, 8)]
