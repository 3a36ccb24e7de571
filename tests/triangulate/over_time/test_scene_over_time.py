"""The benchmark's scene with constraints of bones and time: 8 cameras, 1 px of noise, a fifth dropped, outliers."""

import numpy as np
import pytest

from triskel import Camera, Rig, Rigid
from triskel.keypoints import Points3D
from triskel.motion import Motion3D
from triskel.skeleton import BODY_25
from triskel.triangulate import triangulate_points
from triskel.triangulate.over_time import OverTimeOptions, refine_over_time


@pytest.fixture(scope="module")
def raw(scene):
    """The scene's true positions (1000, 25, 3) and its raw motion."""
    cameras = scene.make_rig()
    rig = Rig(
        tuple(
            Camera(name=c["name"], size_wh=c["size"], K=c["K"], dist=c["dist"], cam_from_world=Rigid(c["R"], c["t"]))
            for c in cameras
        )
    )
    X = scene.make_motion()
    xy, score, _ = scene.observe(cameras, X)
    points = Points3D(*(field[:, None] for field in triangulate_points(rig, xy, score)))
    time_s = np.arange(len(X)) / 60
    return X, Motion3D(BODY_25, rig.names, time_s, np.zeros(1, np.int64), points, np.zeros((len(X), 1, 25), bool))


@pytest.mark.parametrize(
    ("options", "most_mm"),
    [
        (OverTimeOptions(), 1.0),
        (OverTimeOptions(bones=False), 1.25),
        (OverTimeOptions(filter="butterworth"), 1.2),
        (OverTimeOptions(filter="savitzky_golay"), 1.1),
        (OverTimeOptions(filter="none"), 2.4),
    ],
    ids=["defaults", "kalman without bones", "butterworth", "savitzky_golay", "bones alone"],
)
def test_bones_and_time_take_most_of_the_error(scene, raw, options, most_mm):
    """Raw 2.89 mm; measured 0.89, 1.12, 1.05, 0.98 and 2.20. The issue asks for 1.6 by the defaults."""
    X, motion = raw
    refined = refine_over_time(motion, options)
    result = scene.score(X, refined.points.X[:, 0])
    print(result)
    assert result["mean_mm"] <= most_mm
    assert result["missing_pct"] == 0
    if options == OverTimeOptions():
        assert result["max_mm"] <= 8
        worst = 1000 * np.linalg.norm(refined.points.X[:, 0] - X, axis=-1).mean(axis=0).max()
        assert worst <= 1.3  # toes and wrists too


def test_the_covariance_left_is_that_of_the_error_left(raw):
    X, motion = raw
    points = refine_over_time(motion).points
    e = 1000 * (points.X[:, 0] - X).reshape(-1, 3)
    squares = np.einsum("ni,nij,nj->n", e, np.linalg.inv(points.cov_mm2.reshape(-1, 3, 3).astype(float)), e) / 3
    assert 0.6 < squares.mean() < 1.4
