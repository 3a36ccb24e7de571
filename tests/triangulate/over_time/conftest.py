import numpy as np
import pytest

from triskel.keypoints import Missing, missing_points
from triskel.motion import Motion3D
from triskel.skeleton import BODY_25, WHOLE_BODY_135

CAMERAS = ("c0", "c1", "c2", "c3")


@pytest.fixture(scope="session")
def as_motion():
    """Return the function that makes a `Motion3D` of positions (F, N, J, 3) with the same noise in all directions."""

    def build(X, *, fps=60.0, sigma_mm=3.0, skeleton=BODY_25, time_s=None) -> Motion3D:
        shape = X.shape[:-1]
        points = missing_points(shape, len(CAMERAS), Missing.FEW_VIEWS)
        found = np.isfinite(X[..., 0])
        points.X[:] = X
        points.score[found], points.reproj_px[found], points.views[found] = 0.8, 1.0, True
        points.cov_mm2[found] = sigma_mm**2 * np.eye(3)
        points.missing[found] = Missing.FOUND
        time_s = np.arange(len(X)) / fps if time_s is None else time_s
        return Motion3D(skeleton, CAMERAS, time_s, np.arange(shape[1]), points, np.zeros(shape, bool))

    return build


@pytest.fixture(scope="session")
def walker(whole_people):
    """Return the function that gives one person (F, 1, J, 3) of rigid bones who swings arms and legs, m."""

    def build(frames=240, fps=60.0, *, skeleton=BODY_25):
        X = whole_people(frames, fps)[:, :1, : len(skeleton)].copy()
        at = WHOLE_BODY_135.index
        phase = 2 * np.pi * 0.9 * np.arange(frames) / fps
        hands = {"L": range(25, 45), "R": range(45, 65)} if len(skeleton) > 25 else {"L": (), "R": ()}
        for side, sign in (("L", 1), ("R", -1)):
            arm = [at(f"{side}Elbow"), at(f"{side}Wrist"), *hands[side]]
            leg = [at(f"{side}{joint}") for joint in ("Knee", "Ankle", "BigToe", "SmallToe", "Heel")]
            for root, chain, angle in (
                (at(f"{side}Shoulder"), arm, 0.5 * sign * np.sin(phase)),
                (at(f"{side}Hip"), leg, -0.45 * sign * np.sin(phase)),
            ):
                c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
                off = X[:, 0, chain] - X[:, 0, [root]]
                turned = np.stack([off[..., 0], c * off[..., 1] - s * off[..., 2], s * off[..., 1] + c * off[..., 2]])
                X[:, 0, chain] = X[:, 0, [root]] + np.moveaxis(turned, 0, -1)
        return X

    return build
