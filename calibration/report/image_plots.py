"""Pictures over the cameras' images: where corners were seen, and where they are not where they should be."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.report.look import BLUE, SOFT, UNSEEN, WIDTH_IN, colour_bar, image_frame, new_figure
from triskel.calibration.report.numbers import CameraNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 3
"""Corners that a cell needs for its mean residual to be drawn."""

CHANCE = 1.9
"""Lengths in standard deviations of noise that 3 % of the arrows exceed by chance (Rayleigh distribution, where the
squared length is 1 on average)."""

PALE = "#b3bfd0"
LONGER = 1.5
"""Typical long arrows may be so many cells long rather than be cut down to a fraction of one by rounding."""

MIXED_SHAPE = 0.75
"""Height over width of the room for an image, where images differ in shape."""

LONGEST_CELLS = 2.5
"""Arrows are cut at so many cells, or one bad cell would cross all others."""


def draw_coverage(cameras: Sequence[CameraNumbers]) -> "Figure":
    """Draw how many corners each part of each image saw; what was never seen is in a warning colour."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    figure, axes = _images(cameras)
    most = max([int(c.coverage.counts.max(initial=0)) for c in cameras] + [2])
    colours = colormaps["Blues"].with_extremes(bad=UNSEEN)
    norm = LogNorm(vmin=0.6, vmax=most)
    image = None
    for ax, c in zip(axes, cameras, strict=False):
        w, h = c.size_wh
        counts = np.where(c.coverage.counts > 0, c.coverage.counts, np.nan).astype(np.float64)
        image = ax.imshow(counts, cmap=colours, norm=norm, extent=(-0.5, w - 0.5, h - 0.5, -0.5), aspect="equal")
        small = _columns(cameras) > 4
        image_frame(ax, c.size_wh, c.name, small=small)
        seen = f"{100 * c.coverage.seen_share:.0f} %"
        ax.set_title(
            seen if small else f"{seen} of the image", loc="right", fontsize=7.5 if small else 8.5, color=SOFT, pad=3
        )
    if image is not None:
        bar = colour_bar(figure, axes[: len(cameras)], image, "corners")
        ticks = [value for value in (1, 3, 10, 30, 100, 300, 1000, 3000, 10000) if value <= most]
        bar.set_ticks(ticks, labels=[f"{value:,}" for value in ticks])
        bar.ax.minorticks_off()
    return figure


def draw_residuals(cameras: Sequence[CameraNumbers]) -> "tuple[Figure, float]":
    """Draw the mean residual of each cell as an arrow, observed minus projected.

    Returns:
        The picture, and how many times too long its arrows are.
    """
    figure, axes = _images(cameras)
    factor = arrow_factor(cameras)
    for ax, c in zip(axes, cameras, strict=False):
        small = _columns(cameras) > 4
        image_frame(ax, c.size_wh, c.name, small=small)
        rms = f"{c.rms_px:.2f} px" if math.isfinite(c.rms_px) else "no corners"
        ax.set_title(
            rms if small else f"RMS {rms}" if c.n_corners else rms,
            loc="right",
            fontsize=7.5 if small else 8.5,
            color=SOFT,
            pad=3,
        )
        xy, arrow, real = _arrows(c, factor)
        if len(xy):
            # Image px on both axes: y is down in the axes and in the residual.
            ax.quiver(
                xy[:, 0], xy[:, 1], arrow[:, 0], arrow[:, 1], angles="xy", scale_units="xy", scale=1.0,
                color=np.where(real, BLUE, PALE), width=0.006, headwidth=4, headlength=4.5, headaxislength=4,
            )  # fmt: skip
    return figure, factor


def arrow_factor(cameras: Sequence[CameraNumbers]) -> float:
    """Return a round number (1, 2 or 5 times a power of ten) that makes typical long arrows about a cell long."""
    shares = []
    for c in cameras:
        use = c.errors.counts >= FEWEST
        length = np.linalg.norm(c.errors.mean_px[use], axis=-1)
        shares.append(length[np.isfinite(length)] / _cell_px(c))
    every = np.concatenate(shares) if shares else np.zeros(0)
    long = float(np.percentile(every, 95)) if len(every) else 0.0
    if long <= 0:
        return 1.0
    wanted = max(1.0, 1 / long)
    power = 10 ** math.floor(math.log10(wanted))
    return float(max(step * power for step in (1, 2, 5, 10) if step * power <= wanted * LONGER))


def _arrows(c: CameraNumbers, factor: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return where a camera's arrows start (n, 2), what they are (n, 2), px of its image, and which are no chance."""
    rows, columns = c.errors.counts.shape
    w, h = c.size_wh
    use = (c.errors.counts >= FEWEST) & np.isfinite(c.errors.mean_px).all(axis=-1)
    j, i = np.nonzero(use)
    xy = np.stack([(i + 0.5) / columns * w - 0.5, (j + 0.5) / rows * h - 0.5], axis=1)
    arrow = c.errors.mean_px[use] * factor
    length = np.linalg.norm(arrow, axis=1, keepdims=True)
    # Independent noise leaves in the mean of n corners the n-th part of the squared error.
    real = length[:, 0] > CHANCE * factor * c.rms_px / np.sqrt(c.errors.counts[use])
    return xy, arrow * np.minimum(1, LONGEST_CELLS * _cell_px(c) / np.maximum(length, 1e-12)), real


def _cell_px(c: CameraNumbers) -> float:
    return min(c.size_wh[0] / c.errors.counts.shape[1], c.size_wh[1] / c.errors.counts.shape[0])


def _columns(cameras: Sequence[CameraNumbers]) -> int:
    """Return how many images stand in a row: few are large, 32 still fit a screen; upright ones are narrow."""
    n = len(cameras)
    if all(c.size_wh[1] > c.size_wh[0] for c in cameras):
        return 4 if n <= 4 else 6
    return max(2, min(n, 3)) if n in (1, 2, 3, 5, 6) else 4 if n <= 12 else 6


def _images(cameras: Sequence[CameraNumbers]) -> "tuple[Figure, list[Axes]]":
    """Return a figure with axes for each camera, the rest of the last row hidden."""
    columns = _columns(cameras)
    rows = math.ceil(len(cameras) / columns)
    shapes = sorted({c.size_wh[1] / c.size_wh[0] for c in cameras})
    # Upright images among others are as tall as these, or a row would be mostly empty.
    alike = shapes[-1] - shapes[0] < 0.1
    shape = shapes[-1] if alike else MIXED_SHAPE
    height_in = 0.25 + rows * (0.3 + shape * (WIDTH_IN - 1.0) / columns)
    figure, axes = new_figure(rows, columns, height_in, layout="compressed" if alike else "constrained")
    for ax in axes[len(cameras) :]:
        ax.set_visible(False)
    return figure, axes
