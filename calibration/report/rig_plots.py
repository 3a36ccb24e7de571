"""Pictures of a rig: cameras and what ties them together from above, the worth of points, held-out distances."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.report.look import (
    BLUE,
    INK,
    LINE,
    ORANGE,
    PAPER,
    RED,
    SOFT,
    WIDTH_IN,
    colour_bar,
    new_figure,
    panel,
    plain,
)
from triskel.calibration.report.numbers import CalibrationNumbers, HeldOutNumbers
from triskel.calibration.report.volume import Plan, height_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMES = 16
"""Cameras up to which a map is not crowded."""

CROWDED_SHARE = 0.5
"""In a crowded map, links with less than this share of the most shots are not drawn unless the rig hangs on them."""


def draw_links(numbers: CalibrationNumbers, plan: Plan) -> "Figure":
    """Draw the cameras from above, joined by the shots that they share, beside the standard errors of their places."""
    rows = max(len(numbers.cameras), 6)
    figure, (left, right) = new_figure(1, 2, max(5.2, 0.9 + 0.21 * rows), widths=(1.45, 1))
    at = np.array([c.centre_m for c in numbers.cameras]) @ plan.plan_from_world.T
    most = max([link.shots for link in numbers.links] + [1])
    crowd = len(at) > MOST_NAMES
    for link in sorted(numbers.links, key=lambda link: (link.is_weak, link.carries, link.shots)):
        if crowd and not link.carries and link.shots < CROWDED_SHARE * most:
            continue
        ends = at[[link.first, link.second]]
        width = 0.5 + (2.0 if crowd else 4.5) * link.shots / most
        colour = RED if link.is_weak else BLUE if link.carries else "#a9bfe4"
        dashes = (0, (3, 1.5)) if link.is_weak else "-"
        left.plot(
            ends[:, 0], ends[:, 1], color=colour, linewidth=max(width, 1.6) if link.is_weak else width, alpha=0.85,
            linestyle=dashes, zorder=3 if link.carries else 2,
        )  # fmt: skip
        if link.is_weak or (len(at) <= 8 and link.carries):
            left.annotate(
                str(link.shots), ends.mean(axis=0)[:2], ha="center", va="center", fontsize=7.5, zorder=5,
                color=RED if link.is_weak else INK, bbox={"boxstyle": "round,pad=0.15", "fc": PAPER, "ec": "none"},
            )  # fmt: skip
    left.plot(*(plan.plan_from_world @ plan.middle)[:2], "+", color=SOFT, markersize=9, zorder=4)
    left.scatter(at[:, 0], at[:, 1], s=30 if crowd else 70, color=INK, zorder=6)
    camera_names(left, numbers, at, plan)
    map_axes(left, plan, "Seen from above; lines: shots both cameras share")
    left.set_anchor("N")
    left.grid(color=LINE, linewidth=0.7)
    _place_errors(right, numbers)
    return figure


def _place_errors(ax: "Axes", numbers: CalibrationNumbers) -> None:
    """Draw the standard errors of each camera's place along the axes of the world."""
    sigma = np.array([c.centre_sigma_mm for c in numbers.cameras])
    y = np.arange(len(sigma))
    if np.isfinite(sigma).any():
        for k, (name, colour) in enumerate(zip("xyz", (ORANGE, "#0f8a5f", BLUE), strict=True)):
            ax.plot(sigma[:, k], y, "o", color=colour, markersize=5, label=name, alpha=0.9)
        ax.hlines(y, 0, np.nan_to_num(np.max(np.nan_to_num(sigma), axis=1)), color=LINE, linewidth=2, zorder=0)
        ax.set_xlim(0, max(1.08 * float(np.nanmax(sigma)), 1e-3))
        ax.legend(
            loc="upper right", ncols=3, frameon=False, fontsize=8, labelcolor=SOFT, handletextpad=0.1, columnspacing=0.8
        )
    else:
        ax.text(0.5, 0.5, "not known", transform=ax.transAxes, ha="center", fontsize=9, color=SOFT)
    panel(ax, "Uncertainty of each camera's place", "standard error, mm")
    ax.set_yticks(y, [plain(c.name) for c in numbers.cameras])
    ax.set_ylim(len(sigma) - 0.5, -0.7 - 0.05 * len(sigma))  # room for the legend
    ax.grid(axis="x", color=LINE, linewidth=0.8)


def draw_volume(numbers: CalibrationNumbers, plan: Plan) -> "Figure":
    """Draw the standard error of a point due to the calibration over horizontal slices, on one scale of colours."""
    slices = numbers.volume.slices if numbers.volume else ()
    span = plan.high - plan.low
    height = (WIDTH_IN - 1.6) / max(len(slices), 1) * float(span[1] / span[0])
    figure, axes = new_figure(1, max(len(slices), 1), float(np.clip(height, 1.8, 7.0)) + 1.05, layout="compressed")
    every = np.concatenate([one.sigma_mm.ravel() for one in slices]) if slices else np.zeros(0)
    every = every[np.isfinite(every)]
    low, high = (float(np.percentile(every, p)) for p in (0, 88)) if len(every) else (0.0, 1.0)
    high = max(high, low * 1.05, 1e-3)
    at = np.array([c.centre_m for c in numbers.cameras]) @ plan.plan_from_world.T
    image = None
    for ax, one in zip(axes, slices, strict=False):
        extent = (plan.low[0], plan.high[0], plan.low[1], plan.high[1])
        image = ax.imshow(one.sigma_mm, origin="lower", extent=extent, cmap="viridis_r", vmin=low, vmax=high)
        _contours(ax, one.sigma_mm, plan, high)
        ax.plot(at[:, 0], at[:, 1], "o", color=INK, markersize=4)
        typical = (
            f"{one.typical_mm:.2g} mm where boards were" if math.isfinite(one.typical_mm) else "seen by no two cameras"
        )
        map_axes(ax, plan, f"{height_words(plan, one.height_m)}\n{typical}")
        ax.plot(*(plan.plan_from_world @ plan.middle)[:2], "+", color=PAPER, markersize=8)
        ax.set_facecolor("#f3f5f8")
        if ax is not axes[0]:
            ax.set_ylabel("")
    if image is not None and len(every):
        colour_bar(figure, axes, image, "mm")
    return figure


def _contours(ax: "Axes", sigma_mm: NDArray[np.float64], plan: Plan, high: float) -> None:
    """Draw labelled lines of equal uncertainty, where there is anything to draw."""
    seen = sigma_mm[np.isfinite(sigma_mm)]
    if len(seen) < 30 or min(sigma_mm.shape) < 4:
        return
    levels = np.unique([float(f"{value:.1g}") for value in np.linspace(seen.min(), min(float(seen.max()), high), 4)])
    levels = levels[(levels > seen.min()) & (levels < seen.max())]
    if not len(levels):
        return
    x, y = (
        np.linspace(plan.low[k], plan.high[k], n, endpoint=False)
        for k, n in ((0, sigma_mm.shape[1]), (1, sigma_mm.shape[0]))
    )
    x, y = x + (x[1] - x[0]) / 2, y + (y[1] - y[0]) / 2
    lines = ax.contour(x, y, np.ma.masked_invalid(sigma_mm), levels=levels, colors=PAPER, linewidths=0.9)
    ax.clabel(lines, fmt=lambda value: f"{value:g}", fontsize=7.5)


def draw_held_out(held: HeldOutNumbers) -> "Figure":
    """Draw how far known distances come out wrong, mm, and the share of them within so many % of the distance."""
    figure, (left, right) = new_figure(1, 2, 3.3, widths=(1.45, 1))
    reach = max(float(np.percentile(np.abs(held.error_mm), 99)), 1e-6)
    left.hist(np.clip(held.error_mm, -reach, reach), bins=41, range=(-reach, reach), color=BLUE, rwidth=0.92)
    left.axvline(0, color=INK, linewidth=1)
    for sign in (-1, 1):
        left.axvline(sign * held.median_mm, color=ORANGE, linewidth=1.4)
        left.axvline(sign * held.p95_mm, color=RED, linewidth=1.4, linestyle=(0, (3, 2)))
    top = left.get_ylim()[1]
    left.set_ylim(0, 1.16 * top)
    left.text(held.median_mm, 1.15 * top, " half within", color=ORANGE, fontsize=8, va="top")
    left.text(held.p95_mm, 1.05 * top, " 95 % within", color=RED, fontsize=8, va="top")
    left.set_yticks([])
    panel(left, "Measured minus true distance", "mm (outermost bars: and beyond)")
    share = np.sort(np.abs(held.percent))
    right.plot(share, np.linspace(0, 100, len(share)), color=BLUE, linewidth=2)
    right.set_xlim(0, max(float(np.percentile(share, 99)), 1e-6))
    right.set_ylim(0, 101)
    right.grid(color=LINE, linewidth=0.8)
    panel(right, "Distances within so many %", "error, % of the distance", "% of all")
    return figure


def camera_names(ax: "Axes", numbers: CalibrationNumbers, at: NDArray[np.float64], plan: Plan) -> None:
    """Write each camera's name on the side away from the middle."""
    middle = (plan.plan_from_world @ plan.middle)[:2]
    size, most = (9, 22) if len(at) <= MOST_NAMES else (7, 12)
    for c, place in zip(numbers.cameras, at[:, :2], strict=True):
        if not np.isfinite(place).all():
            continue
        away = place - middle
        away = away / max(float(np.linalg.norm(away)), 1e-9)
        ax.annotate(
            plain(c.name, most=most), place, xytext=11 * away, textcoords="offset points", fontsize=size, color=INK,
            zorder=7,
            ha="left" if away[0] > 0.35 else "right" if away[0] < -0.35 else "center",
            va="bottom" if away[1] > 0.35 else "top" if away[1] < -0.35 else "center",
        )  # fmt: skip


def map_axes(ax: "Axes", plan: Plan, title: str) -> None:
    """Make axes a map in metres."""
    ax.set_aspect("equal")
    span = plan.high - plan.low
    ax.set_xlim(plan.low[0] - 0.07 * span[0], plan.high[0] + 0.07 * span[0])
    ax.set_ylim(plan.low[1] - 0.07 * span[1], plan.high[1] + 0.07 * span[1])
    names = ("x, m", "y, m") if plan.is_world else ("across, m", "along, m")
    panel(ax, title, *names)
