"""Boards before one camera, placed as a test wants them."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from triskel import Camera
from triskel.calibration import BoardView, Charuco
from triskel.projection import project

BOARD = Charuco(squares_xy=(9, 6), square_m=0.08, marker_m=0.06)
BENCH = Path(__file__).resolve().parents[4] / "shared" / "bench"


def make_camera(*, f=900.0, dist=(-0.1, 0.05, 0.001, -0.0005, 0.01), model="pinhole", size_wh=(1280, 720)) -> Camera:
    K = np.array([[f, 0, size_wh[0] / 2 + 3], [0, f * 1.0005, size_wh[1] / 2 - 4], [0, 0, 1]])
    return Camera(name="x", size_wh=size_wh, K=K, dist=np.array(dist), model=model)


def look(camera, rotvec, t, rng, *, noise_px=0.3) -> BoardView:
    """Return what the camera sees of a board turned by `rotvec` about its middle, which is at `t`, m."""
    X = (BOARD.corners - BOARD.corners.mean(axis=0)) @ Rotation.from_rotvec(rotvec).as_matrix().T + t
    xy = project(camera, X)
    w, h = camera.size_wh
    with np.errstate(invalid="ignore"):
        inside = np.flatnonzero((xy[:, 0] > 3) & (xy[:, 0] < w - 4) & (xy[:, 1] > 3) & (xy[:, 1] < h - 4))
    return BoardView(inside, xy[inside] + noise_px * rng.normal(size=(len(inside), 2)))


def tilted(camera, n, *, seed=0, tilt=0.5, z=(0.7, 1.4), aside=(0.5, 0.25), noise_px=0.3) -> list[BoardView]:
    """Return n views of a board tilted by `tilt` rad (one sigma), up to `aside` times its distance from the axis."""
    rng, views = np.random.default_rng(seed), []
    while len(views) < n:
        depth = rng.uniform(*z)
        t = depth * np.array([rng.uniform(-aside[0], aside[0]), rng.uniform(-aside[1], aside[1]), 1.0])
        rotvec = np.array([*np.clip(rng.normal(0, tilt, 2), -1, 1), rng.uniform(-0.5, 0.5)])
        view = look(camera, rotvec, t, rng, noise_px=noise_px)
        if len(view.ids) >= 8:
            views.append(view)
    return views


def around(camera, n, *, seed=0, spread=0.6, z=(0.35, 0.9), noise_px=0.3) -> list[BoardView]:
    """Return n views of a board that turns about the camera, for lenses that see behind their border."""
    rng, views = np.random.default_rng(seed), []
    while len(views) < n:
        towards = Rotation.from_rotvec([*rng.normal(0, spread, 2), 0.0])
        own = Rotation.from_rotvec([*np.clip(rng.normal(0, 0.4, 2), -1, 1), rng.uniform(-3, 3)])
        t = towards.apply([0, 0, rng.uniform(*z)])
        view = look(camera, (towards * own).as_rotvec(), t, rng, noise_px=noise_px)
        if len(view.ids) >= 8:
            views.append(view)
    return views


def lens_error_px(true: Camera, found: Camera) -> float:
    """Return the RMS distance over the image between where two lenses see a direction, one camera turned to fit."""
    from scipy.optimize import least_squares

    from triskel.projection import pixel_rays

    w, h = true.size_wh
    grid = np.stack(np.meshgrid(np.linspace(0, w - 1, 17), np.linspace(0, h - 1, 11)), axis=-1).reshape(-1, 2)
    rays = pixel_rays(true, grid)

    def off(rotvec):
        return (project(found, Rotation.from_rotvec(rotvec).apply(rays)) - grid).ravel()

    return float(np.sqrt(2 * np.mean(least_squares(off, np.zeros(3)).fun ** 2)))


@pytest.fixture
def lab() -> SimpleNamespace:
    """Return the functions above and the board by name."""
    return SimpleNamespace(
        board=BOARD, camera=make_camera, look=look, tilted=tilted, around=around, lens_error_px=lens_error_px
    )


@pytest.fixture
def bench_views(monkeypatch):
    """Return a function to the benchmark's cameras, and every camera's views."""
    if not (BENCH / "board_scene.py").is_file():
        pytest.skip(f"needs the shared bench scene, and {BENCH / 'board_scene.py'} is missing")
    monkeypatch.syspath_prepend(str(BENCH))
    spec = importlib.util.spec_from_file_location("board_scene", BENCH / "board_scene.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def make(**options):
        true, _, shots = module.make_detections(**options)
        cameras = [Camera(name=c["name"], size_wh=c["size"], K=c["K"], dist=c["dist"]) for c in true]
        views = [[BoardView(*s[i]) if s[i] else BoardView.empty() for s in shots] for i in range(len(true))]
        return cameras, views

    return make
