"""A rig as a picture: from above with what the cameras see together, from the side, and at an angle.

draw_rig(rig) -> matplotlib Figure          write_rig_picture(rig, "rig.png", motion=session.motion())
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Camera, Rig
from triskel.files import atomic_path
from triskel.keypoints import Points3D
from triskel.motion import Motion3D
from triskel.projection import project
from triskel.skeleton import BODY_25
from triskel.viewer.quality_plots import DPI, INK, LINE, PAPER, SOFT
from triskel.viewer.scene import camera_corners
from triskel.whole_body import parts_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAMERA_INK = "#2563c9"
AXIS_INK = ("#d33f49", "#2c9a4b", "#3566d6")
PEOPLE_INK = ("#d9490f", "#6b4fa0", "#0f8a5f", "#c2255c", "#b8860b", "#444c59")
SHADES = {0: "#ffffff", 1: "#f0f2f5", 2: "#d3e6f8", 3: "#aacff0", 4: "#80b5e6", 5: "#5c9bd8", 9: "#3f7fc0"}
"""Colour of a place by the number of cameras that see it, from each number on; no depth comes from fewer than two."""

BODY_HEIGHT_M = 1.0
"""Coverage is drawn at this height, near the middle of a standing person, where the rig is large enough for one."""
CELLS = 160
MOST_NAMES = 8
"""Cameras of more than so many are named from above only: from the side the names would cover the picture."""
NARROWEST = 0.6
"""Least width of the box shown, as a share of its length; the plan of two cameras would be a line."""
FRUSTUM_SHARE = 0.09
"""Length of a drawn camera in widths of the picture."""
AHEAD_M = 3.0
"""How far in front of a camera that stands alone the middle of its picture is, m."""


class Extent(NamedTuple):
    """The box that a picture shows, `low` and `high` (3,) m, and the `height_m` at which coverage is drawn."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    height_m: float

    @property
    def size_m(self) -> float:
        """Return the longest side in plan, m."""
        return float((self.high - self.low)[:2].max())


class Seen(NamedTuple):
    """How many cameras see each cell (rows along y, columns along x), and the floor area seen by 2 and by 3, m2."""

    cameras: NDArray[np.int64]
    area2_m2: float
    area3_m2: float


def write_rig_picture(rig: Rig, path: str | Path, *, motion: Motion3D | None = None) -> None:
    """Write `draw_rig` as a PNG file.

    Args:
        rig: the cameras.
        path: the file; what stands there is replaced.
        motion: people, to see whether the cameras look at them.
    """
    figure = draw_rig(rig, motion=motion)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, facecolor=PAPER, format="png")


def draw_rig(rig: Rig, *, motion: Motion3D | None = None) -> "Figure":
    """Draw the cameras as pyramids that open where they look, with names, metres, world axes and shared view.

    Args:
        rig: the cameras; one is enough, and any size.
        motion: people, drawn as the paths of their middles and in the frame with most joints.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    extent = extent_of(rig, motion)
    tall = float(np.clip((extent.high - extent.low)[2] / extent.size_m, 0.25, 1.0))
    figure = Figure(figsize=(13.0, 7.2), dpi=DPI, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1), height_ratios=(max(tall, 0.45), 1))
    above, side, angle = (figure.add_subplot(grid[cell]) for cell in ((slice(None), 0), (0, 1), (1, 1)))
    seen = seen_at(rig, extent)
    _shade(above, extent, seen, cameras=len(rig))
    for ax, from_world, title in (
        (above, np.eye(3)[:2], _coverage_title(extent, seen, rig)),
        (side, np.eye(3)[[0, 2]], "From the side"),
        (angle, _at_an_angle(), "At an angle"),
    ):
        _scene(ax, rig, motion, from_world, extent)
        ax.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=8)
        ax.set_aspect("equal")
        ax.tick_params(length=0, colors=SOFT, labelsize=8.5)
        for spine in ax.spines.values():
            spine.set_visible(False)
    above.set_xlabel("x, m", fontsize=9, color=SOFT)
    above.set_ylabel("y, m", fontsize=9, color=SOFT)
    side.set_xlabel("x, m", fontsize=9, color=SOFT)
    side.set_ylabel("z, m", fontsize=9, color=SOFT)
    for ax in (above, side):
        ax.grid(color=LINE, linewidth=0.8)
        ax.set_axisbelow(True)
    angle.set_xticks([])
    angle.set_yticks([])
    return figure


def extent_of(rig: Rig, motion: Motion3D | None = None) -> Extent:
    """Return the box to show: cameras, the middle of what they look at, the floor, people; and where to measure."""
    centres = np.array([camera.centre for camera in rig])
    middle = _middle(rig)
    points = np.concatenate([centres, middle[None]])
    if motion is not None and motion.found.any():
        points = np.concatenate([points, np.percentile(motion.points.X[motion.found], (1, 99), axis=0)])
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max())
    side = side if side > 0 else 1.0
    # The floor belongs to the picture unless it is far from everything, as in a rig whose world is a camera.
    if -side < low[2] and low[2] > 0:
        low[2] = 0.0
    lacking = np.maximum(NARROWEST * float((high - low)[:2].max()) - (high - low)[:2], 0) / 2
    low[:2], high[:2] = low[:2] - lacking, high[:2] + lacking
    margin = 0.16 * side
    low, high = low - margin, high + margin
    low[2] += 0.75 * margin
    people_fit = side > 1.5 * BODY_HEIGHT_M and low[2] < BODY_HEIGHT_M < high[2] and side < 100 * BODY_HEIGHT_M
    return Extent(low, high, BODY_HEIGHT_M if people_fit else float(middle[2]))


def seen_at(rig: Rig, extent: Extent) -> Seen:
    """Return how many cameras have each place in their image, at the extent's height."""
    x, y = (np.linspace(extent.low[i], extent.high[i], CELLS + 1) for i in (0, 1))
    x, y = (x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2
    X = np.stack(np.broadcast_arrays(x, y[:, None], extent.height_m), axis=-1)
    count = np.zeros((CELLS, CELLS), dtype=np.int64)
    for camera in rig:
        xy = project(camera, X)
        w, h = camera.size_wh
        # NaN, a place the camera cannot see, compares as False.
        count += ((xy > -0.5) & (xy < (w - 0.5, h - 0.5))).all(axis=-1)
    cell_m2 = float(np.prod((extent.high - extent.low)[:2])) / CELLS**2
    return Seen(count, float((count >= 2).sum()) * cell_m2, float((count >= 3).sum()) * cell_m2)


def still_motion() -> Motion3D:
    """Return a motion of one frame and nobody: what a window that shows people needs to show a rig alone."""
    shape = (1, 0, len(BODY_25))
    empty = np.zeros(shape)
    points = Points3D(
        X=np.zeros((*shape, 3)),
        score=empty,
        reproj_px=empty,
        views=np.zeros((*shape, 0), dtype=bool),
        cov_mm2=np.zeros((*shape, 3, 3), dtype=np.float32),
        missing=np.zeros(shape, dtype=np.uint8),
    )
    return Motion3D(BODY_25, (), np.zeros(1), np.zeros(0, dtype=np.int64), points, np.zeros(shape, dtype=bool))


def _middle(rig: Rig) -> NDArray[np.float64]:
    """Return the point closest to all optical axes, if it is in front of the cameras, else a point ahead of them."""
    centres = np.array([camera.centre for camera in rig])
    axes = np.array([camera.cam_from_world.R[2] for camera in rig])
    spread = float(np.linalg.norm(centres - centres.mean(axis=0), axis=-1).max())
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    if len(rig) > 1 and np.linalg.eigvalsh(across.sum(axis=0))[0] > 1e-3 * len(rig):
        middle = np.linalg.solve(across.sum(axis=0), (across @ centres[:, :, None]).sum(axis=0))[:, 0]
        if np.linalg.norm(middle - centres.mean(axis=0)) < 5 * max(spread, 1e-9):
            return np.asarray(middle)
    return np.asarray((centres + axes * max(AHEAD_M if spread == 0 else 2 * spread, 1e-9)).mean(axis=0))


def _shade(ax: "Axes", extent: Extent, seen: Seen, *, cameras: int) -> None:
    """Colour the plan by the number of cameras, and say which colour is how many."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    steps = list(SHADES)
    step = np.searchsorted(steps, seen.cameras, side="right") - 1
    ax.imshow(
        step, cmap=ListedColormap(list(SHADES.values())), vmin=-0.5, vmax=len(steps) - 0.5, origin="lower",
        extent=(extent.low[0], extent.high[0], extent.low[1], extent.high[1]), interpolation="nearest", zorder=0,
    )  # fmt: skip
    ends = [min(nearest - 1, cameras) for nearest in (*steps[1:], cameras + 1)]
    handles = [
        Patch(facecolor=SHADES[first], edgecolor=LINE, label=str(first) if first == last else f"{first} to {last}")
        for k, (first, last) in enumerate(zip(steps, ends, strict=True))
        if first > 0 and (step == k).any()
    ]
    if handles:
        ax.legend(
            handles=handles, title="cameras that see it", loc="upper left", bbox_to_anchor=(0, -0.09), frameon=False,
            ncols=len(handles), fontsize=8, title_fontsize=8, labelcolor=SOFT, alignment="left", handlelength=1.2,
        )  # fmt: skip


def _coverage_title(extent: Extent, seen: Seen, rig: Rig) -> str:
    """Return what the shading says."""
    height = f"{extent.height_m:.2f} m" if extent.size_m > 1 else f"{extent.height_m:.3f} m"
    if len(rig) < 2:
        return f"From above, at z = {height}"
    areas = (f"{area:.1f} m²" if area >= 1 else f"{area:.3f} m²" for area in (seen.area2_m2, seen.area3_m2))
    return "From above, at z = {}:\n{} seen by 2 or more cameras, {} by 3 or more".format(height, *areas)


def _at_an_angle() -> NDArray[np.float64]:
    """Return the picture's axes (2, 3) of an orthographic view from 30 degrees above, with z up."""
    azimuth, elevation = np.radians(-62), np.radians(28)
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0])
    back = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    return np.stack([right, np.cross(back, right)])


def _scene(ax: "Axes", rig: Rig, motion: Motion3D | None, from_world: NDArray[np.float64], extent: Extent) -> None:
    """Draw floor, axes, people and cameras through a parallel projection (2, 3)."""
    corners = _box_corners(extent) @ from_world.T
    ax.set_xlim(*_span(corners[:, 0]))
    ax.set_ylim(*_span(corners[:, 1]))
    flat = bool((np.count_nonzero(from_world, axis=1) == 1).all())
    if not flat:
        _floor(ax, from_world, extent)
    elif from_world[1, 2] == 1 and extent.low[2] <= 0 <= extent.high[2]:
        ax.axhline(0, color=SOFT, linewidth=1.2, zorder=1)
    length = 0.12 * extent.size_m
    for axis, colour in enumerate(AXIS_INK):
        tip = length * from_world[:, axis]
        if np.linalg.norm(tip) > 0:
            ax.plot((0, tip[0]), (0, tip[1]), color=colour, linewidth=2, zorder=3, solid_capstyle="round")
            ax.text(
                1.18 * tip[0],
                1.18 * tip[1],
                "xyz"[axis],
                color=colour,
                fontsize=8,
                ha="center",
                va="center",
                clip_on=True,
            )
    if motion is not None:
        _people(ax, motion, from_world)
    middle = _middle(rig) @ from_world.T
    taken: list[NDArray[np.float64]] = []
    for camera in rig:
        lines = _frustum(camera, FRUSTUM_SHARE * extent.size_m) @ from_world.T
        ax.plot(lines[:, 0], lines[:, 1], color=CAMERA_INK, linewidth=1.1, zorder=4)
        if len(rig) <= MOST_NAMES or from_world[1, 2] == 0:
            _name(ax, camera.name, camera.centre @ from_world.T, middle, taken)


def _box_corners(extent: Extent) -> NDArray[np.float64]:
    """Return the 8 corners of the extent."""
    ends = np.stack([extent.low, extent.high])
    return np.array([[ends[i, 0], ends[j, 1], ends[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _frustum(camera: Camera, depth_m: float) -> NDArray[np.float64]:
    """Return one line (P, 3) along a camera's pyramid, which is `depth_m` from tip to corner whatever the lens."""
    corners = camera_corners(camera, 1.0) - camera.centre
    corners = camera.centre + depth_m * corners / np.linalg.norm(corners, axis=-1).max()
    c, (a, b, d, e) = camera.centre, corners
    up = (a + b) / 2 + 0.35 * ((a + b) / 2 - (d + e) / 2)
    return np.array([c, a, b, c, d, e, c, b, d, e, a, up, b])


def _name(
    ax: "Axes", name: str, at: NDArray[np.float64], middle: NDArray[np.float64], taken: list[NDArray[np.float64]]
) -> None:
    """Write a camera's name beside it, away from the middle, and below names that are already there."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    line = 0.028 * (top - bottom) if top - bottom > 0.6 * (right - left) else 0.05 * (top - bottom)
    away = at - middle
    place = at + away / max(float(np.linalg.norm(away)), 1e-12) * 0.045 * (right - left)
    width = 0.013 * (right - left) * max(len(name), 3)
    while any(abs(place[0] - other[0]) < width and abs(place[1] - other[1]) < line for other in taken):
        place = place - np.array([0, line])
    taken.append(place)
    ax.text(
        place[0], place[1], name, fontsize=8, color=INK, ha="center", va="center", zorder=6, clip_on=False,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 0.8},
    )  # fmt: skip


def _floor(ax: "Axes", from_world: NDArray[np.float64], extent: Extent) -> None:
    """Draw lines at z = 0, a round number of metres apart, which is written beside them."""
    if not extent.low[2] <= 0 <= extent.high[2]:
        return
    step = nice_step_m(extent.size_m)
    x, y = (np.arange(np.ceil(extent.low[i] / step), np.floor(extent.high[i] / step) + 0.5) * step for i in (0, 1))
    if not len(x) or not len(y):
        return
    ends = [np.array([[v, y[0], 0], [v, y[-1], 0]]) for v in x] + [np.array([[x[0], v, 0], [x[-1], v, 0]]) for v in y]
    for line in ends:
        ax.plot(*(line @ from_world.T).T, color=LINE, linewidth=0.9, zorder=1)
    corner = np.array([x[-1], y[0], 0]) @ from_world.T
    ax.text(corner[0], corner[1], f" grid {step:g} m", fontsize=8, color=SOFT, va="top", clip_on=False)


def nice_step_m(size_m: float) -> float:
    """Return 1, 2 or 5 times a power of ten that divides `size_m` into 5 to 12 parts."""
    power = 10.0 ** np.floor(np.log10(size_m / 5))
    return float(next(k * power for k in (5, 2, 1) if k * power <= size_m / 5 * (1 + 1e-9)))


def _people(ax: "Axes", motion: Motion3D, from_world: NDArray[np.float64]) -> None:
    """Draw the paths of the people's middles, and all of them in the frame with most joints."""
    body = parts_of(motion.skeleton)["body"]
    X = np.where(motion.found[..., None], motion.points.X, np.nan)
    if not motion.found.any():
        return
    best = int(motion.found.sum(axis=(1, 2)).argmax())
    for n in range(len(motion.ids)):
        colour = PEOPLE_INK[n % len(PEOPLE_INK)]
        there = motion.found[:, n, body].any(axis=1)
        path = np.full((len(X), 3), np.nan)
        path[there] = np.nanmedian(X[there, n][:, body], axis=1)
        ax.plot(*(path @ from_world.T).T, color=colour, linewidth=0.8, alpha=0.6, zorder=2)
        for a, b in motion.skeleton.limbs:
            ax.plot(*(X[best, n, [a, b]] @ from_world.T).T, color=colour, linewidth=1.6, zorder=5)
