"""Picture of what people said of a rig: where cameras went, seen from above, and their errors before and after."""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.report.from_people import move_rows
from triskel.calibration.report.look import BLUE, INK, LINE, ORANGE, RED, SOFT, new_figure, panel, plain
from triskel.calibration.report.numbers import CalibrationNumbers
from triskel.calibration.report.rig_plots import camera_names, map_axes
from triskel.calibration.report.volume import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from triskel.calibration.people import PeopleCalibration

COLOURS = {"bumped": RED, "moved": RED, "perhaps": ORANGE}
"""What is not named here stands where it stood."""
_LONGEST = 0.13
"""The longest arrow or radius as a share of the map's shorter side, at most."""
_SEEN_M = 1e-4
"""Cameras that were moved by less are drawn as unmoved."""


class PeoplePicture(NamedTuple):
    """A picture, and how many times as long as they are its arrows and circles were drawn."""

    figure: "Figure"
    factor: float


def draw_people(numbers: CalibrationNumbers, people: "PeopleCalibration", plan: Plan) -> PeoplePicture:
    """Draw the cameras from above with the way they went, exaggerated, beside their errors before and after."""
    figure, (left, right) = new_figure(1, 2, max(5.0, 1.2 + 0.3 * len(people.moves)), widths=(1.45, 1))
    new = np.array([camera.centre for camera in people.rig])
    old = new if people.old is None else np.array([people.old[camera.name].centre for camera in people.rig])
    shift = (new - old) @ plan.plan_from_world.T
    at = old @ plan.plan_from_world.T
    factor = _factor(people, np.linalg.norm(shift[:, :2], axis=1), plan)
    _sights(left, people, at, plan)
    _moves(left, people, at, shift, factor)
    if plan.is_world:
        left.plot(*plan.middle[:2], "+", color=SOFT, markersize=9, zorder=4)
    camera_names(left, numbers, at, plan)
    changed = bool((np.linalg.norm(shift, axis=1) > _SEEN_M).any())
    what = "the way they went" if changed else "placed anew" if people.from_nothing else "none was changed"
    scale = f" ({'arrows and circles' if changed else 'circles'} x {factor:,.4g})" if factor else ""
    map_axes(left, plan, f"Cameras from above: {what}{scale}")
    left.set_anchor("N")
    left.grid(color=LINE, linewidth=0.7)
    _errors(right, people)
    return PeoplePicture(figure, factor)


def _factor(people: "PeopleCalibration", shift_m: NDArray[np.float64], plan: Plan) -> float:
    """Return 1, 2 or 5 times a power of ten by which moves and their standard errors fill the map; 0 without any."""
    sigma_m = [move.moved_sigma_mm / 1000 for move in people.moves if math.isfinite(move.moved_sigma_mm)]
    longest = max([*shift_m.tolist(), *sigma_m], default=0.0)
    if longest < _SEEN_M:
        return 0.0
    most = _LONGEST * float((plan.high - plan.low).min()) / longest
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most)


def _sights(ax: "Axes", people: "PeopleCalibration", at: NDArray[np.float64], plan: Plan) -> None:
    """Draw which way each camera looks."""
    ahead = np.array([camera.cam_from_world.R[2] for camera in people.rig]) @ plan.plan_from_world.T
    ends = at + 0.09 * float((plan.high - plan.low).max()) * ahead
    for start, end in zip(at, ends, strict=True):
        ax.plot(*np.transpose([start[:2], end[:2]]), color="#c3cad5", linewidth=3, solid_capstyle="round", zorder=2)


def _moves(
    ax: "Axes", people: "PeopleCalibration", at: NDArray[np.float64], shift: NDArray[np.float64], factor: float
) -> None:
    """Draw the old places, arrows to the new ones and a circle of one standard error about these."""
    from matplotlib.patches import Circle

    by_name = {move.camera: move for move in people.moves}
    for name, start, way in zip(people.rig.names, at, shift, strict=True):
        move = by_name.get(name)
        seen = move is not None and move.verdict != "not seen"
        colour = COLOURS.get(move.verdict, INK) if move is not None else SOFT
        tip = start[:2] + factor * way[:2]
        ax.plot(*start[:2], "o", color=colour, markersize=7, zorder=6, markerfacecolor=colour if seen else "none")
        if np.linalg.norm(way) > _SEEN_M:
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", tip, start[:2], arrowprops=arrow, zorder=5)
        if move is not None and math.isfinite(move.moved_sigma_mm) and factor:
            radius = factor * move.moved_sigma_mm / 1000
            ax.add_patch(Circle((tip[0], tip[1]), radius, fill=False, color=colour, linestyle=(0, (3, 2)), zorder=3))


def _errors(ax: "Axes", people: "PeopleCalibration") -> None:
    """Draw the median error of each camera before and after as bars."""
    rows = move_rows(people)
    y, bars = np.arange(len(rows)), [("after", BLUE, np.array([row.after_px for row in rows]))]
    if not people.from_nothing:
        bars.insert(0, ("before", "#b4bdca", np.array([row.before_px for row in rows])))
    thick = 0.8 / max(len(bars), 2)
    most = max([1e-3, *(float(value) for _, _, px in bars for value in px if math.isfinite(value))])
    for k, (label, colour, px) in enumerate(bars):
        place = y + (k - (len(bars) - 1) / 2) * thick
        ax.barh(place, np.nan_to_num(px), height=0.92 * thick, color=colour, label=label)
        for value, where in zip(px, place, strict=True):
            words = f"{value:.1f}" if math.isfinite(value) else "saw nobody" if k == 0 else ""
            ax.text(np.nan_to_num(value) + 0.015 * most, where, words, va="center", fontsize=8, color=SOFT)
    panel(ax, "Median error of joints in each camera", "px, frames used")
    ax.set_xlim(0, 1.18 * most)
    ax.set_yticks(y, [plain(row.move.camera) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.8 - 0.05 * len(rows))  # room for the legend
    if len(bars) > 1:
        ax.legend(loc="upper right", ncols=2, frameon=False, fontsize=8, labelcolor=SOFT)
    ax.grid(axis="x", color=LINE, linewidth=0.8)
