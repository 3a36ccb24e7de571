"""The torch kernel gives what the compiled one gives; the CPU runs the code that CUDA runs."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from triskel import Camera, Rig, Rigid
from triskel.errors import InputError
from triskel.keypoints import Missing
from triskel.lens import pack, rays_many
from triskel.projection import project_rig
from triskel.triangulate import TriangulateOptions, kernel, torch_kernel, triangulate_points
from triskel.triangulate.torch_lens import TorchCameras, project, world_rays

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


def packed(rig):
    return np.stack([pack(camera) for camera in rig]), np.stack([camera.centre for camera in rig])


def both(rig, xy, score=None, *, bound=6.0, noise_px=1.0, least_views=2, max_sigma_mm=300.0, device="cpu"):
    """Return what the compiled kernel and the torch kernel make of points xy (C, N, 2)."""
    score = np.ones(xy.shape[:-1]) if score is None else score
    args = (*packed(rig), np.ascontiguousarray(np.moveaxis(xy, 0, 1)), np.ascontiguousarray(score.T))
    args = (*args, bound, noise_px, least_views, max_sigma_mm)
    return kernel.triangulate_many(*args), torch_kernel.triangulate_many(*args, device=device)


def assert_alike(compiled, in_torch, share=1.0):
    """Same reasons, same views, positions within 1e-6 m, at least for `share` of the points; same types and shapes."""
    for one, other in zip(compiled, in_torch, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
    X, score, error, views, cov, missing = (np.asarray(one) for one in in_torch)
    same = (missing == compiled[5]) & (views == compiled[3]).all(axis=-1)
    near = np.isclose(X, compiled[0], rtol=0, atol=1e-6, equal_nan=True).all(axis=-1)
    assert (same & near).mean() >= share
    alike = same & near
    np.testing.assert_allclose(score[alike], compiled[1][alike], rtol=0, atol=1e-12)
    np.testing.assert_allclose(error[alike], compiled[2][alike], rtol=0, atol=1e-5)
    np.testing.assert_allclose(cov[alike], compiled[4][alike], rtol=1e-4, atol=1e-6)


def rig_of(module, cameras):
    return Rig(
        tuple(
            Camera(name=c["name"], size_wh=c["size"], K=c["K"], dist=c["dist"], cam_from_world=Rigid(c["R"], c["t"]))
            for c in module.make_rig(cameras)
        )
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("cameras", [2, 4, 8, 16])
def test_the_benchmark_scene_is_reconstructed_as_by_the_compiled_kernel(scene, cameras, device):
    """1 px noise, a fifth of the views missing, one in twenty 20 to 200 px off; 5000 points."""
    X = scene.make_motion(200)
    xy, score, _ = scene.observe(scene.make_rig(cameras), X)
    found = both(rig_of(scene, cameras), xy.reshape(cameras, -1, 2), score.reshape(cameras, -1), device=device)
    assert_alike(*found, share=0.9999)
    assert (found[1][5] == Missing.FOUND).mean() > (0.3 if cameras == 2 else 0.9)


@pytest.mark.parametrize("device", DEVICES)
def test_a_ring_of_both_lens_models_is_reconstructed_as_by_the_compiled_kernel(ring, points_inside, device):
    pinhole, fisheye = ring(6), ring(6, model="fisheye")
    rig = Rig(tuple(a if i % 2 else b for i, (a, b) in enumerate(zip(pinhole, fisheye, strict=True))))
    X, rng = points_inside(3000), np.random.default_rng(1)
    for one in (rig, fisheye):
        xy = project_rig(one, X) + rng.normal(0, 1, (6, 3000, 2))
        xy[rng.random((6, 3000)) < 0.1] += 60
        xy[rng.random((6, 3000)) < 0.2] = np.nan
        found = both(one, xy, rng.uniform(0.3, 1, (6, 3000)), device=device)
        assert_alike(*found, share=0.9999)
        assert np.nanmedian(np.linalg.norm(found[1][0] - X, axis=-1)) < 0.006


def lens_of_every_kind(ring):
    """Return five cameras whose lenses have 0, 5, 8, 12 and 14 coefficients, and a fisheye."""
    every = [-0.1, 0.05, 6e-4, -5e-4, 0.01, 0.02, -0.01, 0.003, 1e-3, -2e-4, 8e-4, 1e-4, 0.02, -0.03]
    dists = [every[:n] for n in (0, 5, 8, 12, 14)]
    cameras = [camera.replace(dist=dist) for camera, dist in zip(ring(5), dists, strict=True)]
    return Rig((*cameras, ring(6, model="fisheye").cameras[5]))


@pytest.mark.parametrize("device", DEVICES)
def test_every_lens_projects_and_looks_back_as_compiled(ring, device):
    """Points all around, so that many are behind a camera or where a polynomial folds back."""
    rig = lens_of_every_kind(ring)
    cameras = TorchCameras.of(*packed(rig), torch.device(device))
    X = np.random.default_rng(2).uniform(-6, 6, (2000, 3))
    u, v, _ = project(cameras, torch.as_tensor(X, device=device))
    expected = project_rig(rig, X)
    assert 0.2 < np.isfinite(expected[..., 0]).mean() < 0.9
    got = np.stack([u.cpu().numpy().T, v.cpu().numpy().T], axis=-1)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-9)

    xy = np.random.default_rng(3).uniform([-400, -400], [1700, 1400], (2000, 2))
    seen = torch.as_tensor(xy, device=device)[:, None].expand(-1, len(rig), -1)
    rays = world_rays(cameras, seen).cpu().numpy()
    for i, camera in enumerate(rig):
        there = rays_many(pack(camera), xy) @ camera.cam_from_world.R
        np.testing.assert_allclose(rays[:, i], there, rtol=0, atol=1e-9, err_msg=camera.name)


@pytest.mark.parametrize("device", DEVICES)
def test_derivatives_of_the_projection_are_those_of_autograd(ring, points_inside, device):
    rig = lens_of_every_kind(ring)
    cameras = TorchCameras.of(*packed(rig), torch.device(device))
    X = torch.as_tensor(points_inside(7), device=device).requires_grad_()
    u, v, J = project(cameras, X, jacobian=True)
    for image, derivatives in ((u, J[:3]), (v, J[3:])):
        for c in range(len(rig)):
            (expected,) = torch.autograd.grad(image[:, c].sum(), X, retain_graph=True)
            got = torch.stack([one[:, c] for one in derivatives], dim=-1)
            torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-8)


def side_by_side():
    K = np.array([[900.0, 0, 640], [0, 900, 512], [0, 0, 1]])
    first = Camera(name="a", size_wh=(1280, 1024), K=K)
    return Rig((first, first.replace(name="b", cam_from_world=Rigid(np.eye(3), [-1.0, 0, 0]))))


def test_points_that_cannot_be_have_the_reasons_of_the_compiled_kernel():
    nan = [np.nan, np.nan]
    pairs = {
        "found": ([690.0, 512.0], [590.0, 512.0]),
        "seen once": ([690.0, 512.0], nan),
        "not seen": (nan, nan),
        "parallel": ([640.0, 512.0], [640.0, 512.0]),
        "behind": ([590.0, 512.0], [690.0, 512.0]),
        "not the same point": ([690.0, 400.0], [590.0, 620.0]),
        "infinite": ([np.inf, 512.0], [590.0, 512.0]),
    }
    compiled, in_torch = both(side_by_side(), np.moveaxis(np.array(list(pairs.values())), 0, 1))
    assert_alike(compiled, in_torch)
    few, bad = Missing.FEW_VIEWS, Missing.DISAGREE
    expected = [Missing.FOUND, few, few, Missing.PARALLEL, Missing.BEHIND, bad, few]
    assert [Missing(code) for code in in_torch[5]] == expected
    np.testing.assert_allclose(in_torch[0][0], [0.5, 0, 9], rtol=0, atol=1e-6)
    assert np.isnan(in_torch[0][1:]).all()


def test_two_cameras_that_look_at_each_other_agree_with_the_compiled_kernel(ring):
    rig = ring(2)
    X = np.linspace(rig.cameras[0].centre, rig.cameras[1].centre, 12)[1:-1]
    X = np.concatenate([X, X + np.array([0, 0, 0.3])])
    compiled, in_torch = both(rig, project_rig(rig, X) + np.random.default_rng(4).normal(0, 0.5, (2, len(X), 2)))
    assert_alike(compiled, in_torch)
    assert (in_torch[5][: len(X) // 2] != Missing.FOUND).all()


@pytest.mark.parametrize("options", [{"least_views": 4}, {"max_sigma_mm": 6.0}, {"bound": 2.0}, {"bound": 100.0}])
def test_options_mean_what_they_mean_to_the_compiled_kernel(ring, points_inside, options):
    rig, X, rng = ring(5), points_inside(1000), np.random.default_rng(5)
    xy = project_rig(rig, X) + rng.normal(0, 1, (5, 1000, 2))
    xy[rng.random((5, 1000)) < 0.3] = np.nan
    compiled, in_torch = both(rig, xy, **options)
    assert_alike(compiled, in_torch, share=0.999)
    assert 0.02 < (in_torch[5] != Missing.FOUND).mean() < 0.98 or options == {"bound": 100.0}


def test_no_points_and_views_of_no_score_give_nothing(ring):
    compiled, in_torch = both(ring(3), np.zeros((3, 0, 2)))
    assert [one.shape for one in in_torch] == [one.shape for one in compiled]
    compiled, in_torch = both(ring(3), np.full((3, 4, 2), 500.0), np.zeros((3, 4)))
    assert_alike(compiled, in_torch)
    assert (in_torch[5] == Missing.FEW_VIEWS).all()


@pytest.mark.parametrize("device", ["meta", "no such thing", "cuda:99"])
def test_a_device_that_cannot_compute_is_refused_in_one_line(ring, device):
    with pytest.raises(InputError, match=f"^device '{device}' cannot be used here: .+$") as caught:
        both(ring(2), np.zeros((2, 1, 2)), device=device)
    assert "\n" not in str(caught.value)


def test_the_front_door_leads_to_torch_on_demand(ring, points_inside):
    """Plain "cpu" means the compiled kernel; "cpu:0" is torch's name of the same processor."""
    rig, X = ring(5), points_inside(40, 5)
    xy = project_rig(rig, X) + np.random.default_rng(8).normal(0, 1, (5, 40, 5, 2))
    in_torch = triangulate_points(rig, xy, options=TriangulateOptions(device="cpu:0"))
    compiled = triangulate_points(rig, xy)
    np.testing.assert_array_equal(in_torch.views, compiled.views)
    np.testing.assert_allclose(in_torch.X, compiled.X, rtol=0, atol=1e-6)
    np.testing.assert_allclose(in_torch.cov_mm2, compiled.cov_mm2, rtol=1e-4, atol=1e-6)


def test_the_size_of_the_chunks_changes_nothing(ring, points_inside, monkeypatch):
    rig, X, rng = ring(7), points_inside(500), np.random.default_rng(6)
    xy = project_rig(rig, X) + rng.normal(0, 1, (7, 500, 2))
    xy[rng.random((7, 500)) < 0.1] += 70
    _, whole = both(rig, xy)
    monkeypatch.setitem(torch_kernel.CHUNK_BYTES, "cpu", 8 * 7 * torch_kernel.ARRAYS_ALIVE * 37)
    _, pieces = both(rig, xy)
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_thread_gives_what_two_give(ring, points_inside):
    rig, X, rng = ring(6), points_inside(4000), np.random.default_rng(7)
    xy = project_rig(rig, X) + rng.normal(0, 1, (6, 4000, 2))
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(both(rig, xy)[1])
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_triangulation_does_not_import_torch():
    """It takes a second or more that most commands need not spend."""
    code = "import sys, triskel.triangulate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0
