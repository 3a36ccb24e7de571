"""Motions to export: made up, with missing joints, interpolated ones and uncertainties that differ by axis."""

import numpy as np
import pytest

from triskel import Motion3D
from triskel.keypoints import Missing, Points3D, missing_points
from triskel.skeleton import BODY_25, WHOLE_BODY_135


def make(skeleton, F=5, ids=(3, 4)):
    rng = np.random.default_rng(0)
    shape = (F, len(ids), len(skeleton))
    points = missing_points(shape, 3, Missing.FEW_VIEWS)
    points.X[:] = rng.uniform(-1, 1, points.X.shape) + np.array([0, 0, 5])
    points.score[:] = rng.uniform(0.2, 1, shape)
    points.reproj_px[:] = rng.uniform(0.1, 3, shape)
    points.views[..., :2] = True
    points.views[0, 0, :, 2] = True
    points.cov_mm2[:] = np.diag([4.0, 9.0, 25.0])
    points.cov_mm2[..., 0, 1] = points.cov_mm2[..., 1, 0] = 2.5
    points.missing[:] = Missing.FOUND
    gap = np.zeros(shape, bool)
    gap[2, 0, 0] = gap[3, 1, 7] = True
    motion = Motion3D(skeleton, ("a", "b", "c"), np.arange(F) / 50, np.array(ids), points, gap)
    lose(motion, np.s_[1, 0, 3])
    return motion


def lose(motion, where):
    points = motion.points
    points.X[where], points.score[where], points.reproj_px[where], points.views[where] = np.nan, 0, np.nan, False
    points.cov_mm2[where], points.missing[where], motion.gap[where] = np.nan, Missing.DISAGREE, False


@pytest.fixture
def motion():
    """Two people of `body_25`, ids 3 and 4, five frames; one joint is missing, two are interpolated."""
    return make(BODY_25)


@pytest.fixture
def nobody(motion):
    """Five frames in which nobody was found."""
    points = Points3D(*(array[:, :0] for array in motion.points))
    return Motion3D(BODY_25, motion.cameras, motion.time_s, motion.ids[:0], points, motion.gap[:, :0])


@pytest.fixture
def one_frame(motion):
    """The first frame alone."""
    points = Points3D(*(array[:1] for array in motion.points))
    return Motion3D(BODY_25, motion.cameras, motion.time_s[:1], motion.ids, points, motion.gap[:1])


@pytest.fixture
def whole_bodies():
    """Two whole bodies; small toes are never found, and the first person's face is not in frame 2."""
    motion = make(WHOLE_BODY_135)
    for joint in ("LSmallToe", "RSmallToe"):
        lose(motion, np.s_[:, :, WHOLE_BODY_135.index(joint)])
    lose(motion, np.s_[2, 0, 65:])
    return motion


@pytest.fixture
def faceless(whole_bodies):
    """The same without any face or right hand."""
    lose(whole_bodies, np.s_[:, :, 45:])
    return whole_bodies
