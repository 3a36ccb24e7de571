import dataclasses

import numpy as np
import pytest

from triskel.calibration.report.image_cells import into_cells
from triskel.calibration.report.image_plots import LONGEST_CELLS, draw_coverage, draw_residuals


def resized(camera, size_wh):
    share = camera.xy / camera.size_wh
    cells = into_cells(share * size_wh, np.full(camera.xy.shape, 0.1), size_wh)
    return dataclasses.replace(camera, size_wh=size_wh, coverage=cells, errors=cells)


@pytest.mark.parametrize(
    "sizes",
    [[(1280, 720)], [(720, 1280)] * 2, [(1280, 720), (720, 1280), (640, 640)], [(640, 480)] * 13],
    ids=["one", "upright", "mixed", "many"],
)
def test_every_image_is_drawn_once_in_its_own_shape(numbers, sizes):
    cameras = [resized(numbers.cameras[k % 4], size) for k, size in enumerate(sizes)]
    figure = draw_coverage(cameras)
    shown = [ax for ax in figure.axes if ax.get_visible() and ax.get_images()]
    assert [ax.get_title(loc="left") for ax in shown] == [c.name for c in cameras]
    assert [(round(ax.get_xlim()[1] + 0.5), round(ax.get_ylim()[0] + 0.5)) for ax in shown] == sizes
    figure.draw_without_rendering()
    w, h = figure.get_size_inches()
    assert h < 1.1 * w


def test_arrows_point_where_corners_are_seen_and_are_as_long_as_said(numbers):
    camera = resized(numbers.cameras[0], (1200, 700))
    mean = np.where(np.isfinite(camera.errors.mean_px), (0.2, -0.1), np.nan)
    figure, factor = draw_residuals([dataclasses.replace(camera, errors=camera.errors._replace(mean_px=mean))])
    (arrows,) = figure.axes[0].collections
    np.testing.assert_allclose(arrows.U, 0.2 * factor)
    np.testing.assert_allclose(arrows.V, -0.1 * factor)  # up in the image, whose y axis points down
    assert figure.axes[0].yaxis_inverted()
    assert np.hypot(0.2, 0.1) * factor <= LONGEST_CELLS * 100
