"""The quality of 3D in pictures: who is there when, joints by cameras, errors by camera and joint, limbs over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.files import atomic_path
from triskel.viewer.quality import REASONS, LimbQuality, Quality
from triskel.viewer.quality_text import reasons_there
from triskel.viewer.verdict import SHORT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK, SOFT, LINE, PAPER = "#1b2330", "#5d6879", "#e2e6ec", "#ffffff"
BEFORE, AFTER, FILLED = "#c3cbd6", "#2563c9", "#e0761c"
REASON_COLOURS = ("#8b97a8", "#e3b23c", "#b58be0", "#6b4fa0", "#d9490f", "#0f8a5f", "#c2255c", "#444c59")
WIDTH_IN, DPI = 10.4, 130
ROW_IN, TALLEST_BAR_IN = 0.235, 1.6
MOST_PEOPLE = 40
"""Rows of the time line; people come best supported first."""

DARKEST_PX = (6.0, 25.0)
"""Least and largest error that has the darkest colour: 2 px are never bad, and beyond 25, bad is bad."""


class Plot(NamedTuple):
    """A picture of a report: `name` says where it belongs, `caption` what it shows."""

    name: str
    caption: str
    path: Path


def write_quality_plots(quality: Quality, folder: str | Path) -> list[Plot]:
    """Draw the pictures of a quality report as PNG files.

    Args:
        quality: the numbers.
        folder: where to; created when missing.

    Returns:
        The pictures, called people, joints, reprojection and limbs; none where there is nobody.
    """
    if not quality.people:
        return []
    sets = quality.reprojection.frames
    sample = "" if sets >= quality.frames - quality.empty_frames else f" Of {sets:,} frames spread over the recording."
    plots = []
    for name, draw, caption in (
        ("people", draw_people, "The bluer, the more of the body's joints were found; orange where gaps were filled."),
        ("joints", draw_joints, "% of all people's frames, from the first to the last of each."),
        (
            "reprojection",
            draw_errors,
            "Above, the median distance of the detections used from the 3D joints projected back; below, their median "
            "offset. Arrows that all point one way: the camera moved since it was calibrated, or its pictures were cut "
            f"or resized.{sample}",
        ),
        ("limbs", draw_limbs, "Median over the people. Bones do not change, so short bars are good."),
    ):
        path = Path(folder) / f"{name}.png"
        figure = draw(quality)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, facecolor=PAPER)
        plots.append(Plot(name, caption, path))
    return plots


def draw_people(quality: Quality) -> "Figure":
    """Draw a row a person over time, the darker the more joints were found; gaps that were filled in orange below."""
    line = quality.timeline
    N = min(len(quality.people), MOST_PEOPLE)
    figure, (ax,) = _figure(1, 0.75 + 0.32 * max(N, 2))
    span = (0.0, float(max(quality.frames, 1)))
    image = ax.imshow(
        line.found[:N], cmap=_blues(), vmin=0, vmax=1, aspect="auto", interpolation="nearest",
        extent=(*span, N - 0.5, -0.5),
    )  # fmt: skip
    strength = np.where(line.filled[:N] > 0, 0.3 + 0.7 * line.filled[:N], 0)[..., None]
    strips = np.concatenate([1 + strength * (np.array(_rgb(FILLED)) - 1), strength > 0], axis=-1)
    for n in range(N):
        ax.imshow(strips[n : n + 1], aspect="auto", interpolation="nearest", extent=(*span, n + 0.44, n + 0.24))
    ax.set_xlim(*span)
    ax.set_ylim(N - 0.5, -0.5)
    ax.set_yticks(range(N), [f"person {one.person}" for one in quality.people[:N]])
    more = f"; {len(quality.people) - N} more people" if len(quality.people) > N else ""
    ax.set_xlabel(f"frame set{more}", fontsize=9, color=SOFT)
    ax.set_yticks(np.arange(N + 1) - 0.5, minor=True)
    ax.grid(axis="y", which="minor", color=PAPER, linewidth=2.5)
    _plain(ax)
    bar = _colour_bar(figure, ax, image, "found", height_in=0.32 * N)
    bar.set_ticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"])
    return figure


def draw_joints(quality: Quality) -> "Figure":
    """Draw for each joint the share of samples by number of cameras, and beside it by reason for being missing."""
    names = [row.joint for row in quality.joints]
    figure, (left, right) = _figure(2, 1.25 + ROW_IN * len(names), widths=(3, 2))
    views = np.array([row.views_percent for row in quality.joints])
    C = views.shape[1] - 1
    colours = [LINE, LINE] + [_viridis(k, C) for k in range(2, C + 1)]
    _stack(left, names, views[:, 2:], colours[2:], [str(k) for k in range(2, C + 1)])
    left.set_xlim(0, 100)
    _panel(left, "Cameras used", "% of samples")
    _legend(figure, left, most=9, columns=9)
    there = reasons_there(quality)
    missing = np.array([row.missing_percent for row in quality.joints])[:, there]
    labels = [SHORT[REASONS[k]] for k in there]
    _stack(right, names, missing, [REASON_COLOURS[k] for k in there], labels)
    right.set_xlim(0, min(100.0, 1.05 * max(float(missing.sum(axis=1).max(initial=0)), 1.0)))
    _panel(right, "Missing because", "% of samples")
    right.set_yticklabels([])
    if there:
        _legend(figure, right, most=len(REASONS), columns=3)
    else:
        right.text(0.5, 0.5, "nothing is missing", transform=right.transAxes, ha="center", fontsize=9, color=SOFT)
    return figure


def draw_errors(quality: Quality) -> "Figure":
    """Draw the median error of each camera and joint as a table of colours, and the mean direction as arrows."""
    found = quality.reprojection
    cameras, names = [one.camera for one in quality.cameras], [row.joint for row in quality.joints]
    C, R = found.median_px.shape
    height = ROW_IN * 1.15 * C
    figure, (top, bottom) = _figure(2, 2 * height + 2.4, rows=True)
    worst = float(np.clip(np.nan_to_num(found.median_px).max(initial=0), *DARKEST_PX))
    image = top.imshow(found.median_px, cmap="YlOrRd", vmin=0, vmax=worst, aspect="auto")
    size = float(np.clip(190 / max(R, 1), 4.5, 8.0))
    for c, r in zip(*np.nonzero(np.isfinite(found.median_px)), strict=True):
        value = found.median_px[c, r]
        text = f"{value:.1f}" if value < 99.5 else f"{value:.0f}"
        top.text(
            r, c, text, ha="center", va="center", fontsize=size, color=PAPER if value > 0.6 * worst else INK
        )  # fmt: skip
    _panel(top, "Median error, px", "")
    top.set_xticks([])
    _colour_bar(figure, top, image, "px", height_in=height)
    _arrows(figure, bottom, found.bias_px, height_in=height)
    for ax in (top, bottom):
        ax.set_yticks(range(C), cameras, fontsize=8)
        ax.set_xlim(-0.5, R - 0.5)
        ax.set_ylim(C - 0.5, -0.5)
        ax.grid(visible=False)
    bottom.set_xticks(range(R), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    return figure


def _arrows(figure: "Figure", ax: "Axes", bias_px: NDArray[np.float64], *, height_in: float) -> None:
    """Draw (C, R) arrows in the image's axes, the longest typical one as long as a cell, stronger ones darker."""
    length = np.linalg.norm(bias_px, axis=-1)
    known = length[np.isfinite(length)]
    longest = max(float(np.percentile(known, 95)) if len(known) else 0.0, 2.0)
    c, r = np.nonzero(np.isfinite(length))
    scale = np.minimum(1, longest / np.maximum(length[c, r], 1e-9)) / longest
    xy = bias_px[c, r] * scale[:, None]
    arrows = ax.quiver(
        r, c, xy[:, 0], -xy[:, 1], np.minimum(length[c, r], longest), cmap="viridis_r", clim=(0, longest), pivot="mid",
        units="inches", scale=1 / (0.86 * ROW_IN), width=0.017, headwidth=4.5, headlength=5,
    )  # fmt: skip
    _panel(ax, f"Detection minus 3D joint, direction and length (full length: {longest:.1f} px or more)", "")
    _colour_bar(figure, ax, arrows, "px", height_in=height_in)


def draw_limbs(quality: Quality) -> "Figure":
    """Draw the variation of each limb's length before and after filtering, median over the people."""
    names = list(dict.fromkeys(one.limb for one in quality.limbs))
    before, after = (_by_limb(quality.limbs, names, place) for place in (5, 4))
    figure, (ax,) = _figure(1, 1.3 + ROW_IN * len(names))
    y = np.arange(len(names))
    ax.barh(y, before, height=0.78, color=BEFORE, label="as triangulated")
    ax.barh(y, after, height=0.40, color=AFTER, label="final")
    shown = np.r_[before, after]
    shown = shown[np.isfinite(shown)]
    # One limb gone wild must not press all others against the axis.
    right = max(min(1.05 * shown.max(initial=0), 5 * float(np.median(shown) if len(shown) else 0)), 1.0)
    ax.set_xlim(0, right)
    for row, value in enumerate(after):
        if np.isfinite(value):
            end = min(float(np.fmax(value, before[row])), right)
            beyond = " (beyond)" if np.fmax(value, before[row]) > right else ""
            ax.annotate(
                f"{before[row]:.1f} to {value:.1f}{beyond}", (end, row), xytext=(4, 0), textcoords="offset points",
                va="center", fontsize=8, color=SOFT, annotation_clip=False,
            )  # fmt: skip
    ax.set_yticks(y, names, fontsize=8.5)
    ax.set_ylim(len(names) - 0.5, -0.5)
    _panel(ax, "How much limb lengths vary", "standard deviation, % of the length")
    _legend(figure, ax, most=2, columns=2)
    return figure


def _by_limb(limbs: Sequence[LimbQuality], names: Sequence[str], place: int) -> NDArray[np.float64]:
    """Return the median over the people of one number of each limb; NaN where there is none."""
    values = [np.array([one[place] for one in limbs if one.limb == name], np.float64) for name in names]
    return np.array([np.median(one[np.isfinite(one)]) if np.isfinite(one).any() else np.nan for one in values])


def _figure(
    panels: int, height_in: float, *, widths: Sequence[float] = (), rows: bool = False
) -> "tuple[Figure, list[Axes]]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # 32 cameras make a tall table; beyond this, a picture no longer opens everywhere.
    figure = Figure(figsize=(WIDTH_IN, min(height_in, 60)), dpi=DPI, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    shape = (panels, 1) if rows else (1, panels)
    axes = figure.subplots(*shape, squeeze=False, width_ratios=widths or None)
    return figure, axes.ravel().tolist()


def _stack(
    ax: "Axes", names: Sequence[str], shares: NDArray[np.float64], colours: Sequence[object], labels: Sequence[str]
) -> None:
    """Draw stacked horizontal bars (R, K), first row on top."""
    y, start = np.arange(len(names)), np.zeros(len(names))
    for share, colour, label in zip(shares.T, colours, labels, strict=True):
        ax.barh(y, share, left=start, height=0.82, color=colour, label=label)
        start = start + share
    ax.set_yticks(y, names, fontsize=8.5)
    ax.set_ylim(len(names) - 0.5, -0.5)


def _panel(ax: "Axes", title: str, x: str) -> None:
    ax.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=8)
    ax.set_xlabel(x, fontsize=9, color=SOFT)
    ax.grid(axis="x", color=LINE, linewidth=0.8)
    _plain(ax)


def _plain(ax: "Axes") -> None:
    ax.tick_params(length=0, colors=SOFT, labelsize=8.5, which="both")
    ax.set_axisbelow(True)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _colour_bar(
    figure: "Figure", ax: "Axes", mappable: "ScalarMappable", label: str, *, height_in: float
) -> "Colorbar":
    """Put a scale of colours beside a panel, no taller than is easily read."""
    shrink = min(1.0, TALLEST_BAR_IN / max(height_in, 0.1))
    bar = figure.colorbar(mappable, ax=ax, pad=0.01, shrink=shrink, aspect=14, anchor=(0.0, 1.0))
    bar.ax.tick_params(length=0, labelsize=8, colors=SOFT)
    bar.ax.set_title(label, fontsize=8, color=SOFT, loc="left")
    bar.outline.set_visible(False)
    return bar


def _legend(figure: "Figure", ax: "Axes", *, most: int, columns: int) -> None:
    """Put the legend under a panel, at most so many entries of it, evenly chosen."""
    handles, labels = ax.get_legend_handles_labels()
    some = np.unique(np.linspace(0, len(handles) - 1, min(len(handles), most)).round().astype(np.intp))
    panel_in = max(ax.get_position().height * figure.get_size_inches()[1], 0.5)
    ax.legend(
        [handles[i] for i in some],
        [labels[i] for i in some],
        loc="upper left",
        bbox_to_anchor=(0, -0.45 / panel_in),
        ncols=min(len(some), columns),
        frameon=False,
        fontsize=8,
        labelcolor=SOFT,
        handlelength=1.0,
        handleheight=0.9,
        columnspacing=1.0,
        borderaxespad=0,
    )


def _viridis(k: int, cameras: int) -> tuple[float, ...]:
    """Return the colour of a number of cameras: yellow for two, the fewest, to dark blue for all."""
    from matplotlib import colormaps

    return tuple(colormaps["viridis_r"](0.06 + 0.84 * (k - 2) / max(cameras - 2, 1)))


def _blues() -> "Colormap":
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("found", ["#f3d9d4", "#bcd0f2", "#1d56b8"])
    return shades.with_extremes(bad="#f3f5f8")


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)
