"""Curves as pictures: precision over recall, and joints found over the distance allowed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets.joint_names import plain_name
from triskel.detect2d.evaluation.pck import PCK_REACH, PCKH_REACH, PckScores
from triskel.detect2d.evaluation.run import Evaluation
from triskel.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, LINE = "#1b2330", "#6b7686", "#e2e6ec"
COLOURS = ("#2563c9", "#d9590f", "#0f8a5f", "#8b3fc4", "#b8860b", "#c2255c")
PR_SIMILARITIES = (0.5, 0.6, 0.7, 0.8, 0.9)
MOST_PANELS = 3  # side by side
MOST_JOINTS = 12  # lines in a panel that can still be told apart


class Curve(NamedTuple):
    """A line and the words beside its end."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    label: str
    colour: str | tuple[float, ...]


def plot_precision_recall(evaluation: Evaluation, path: Path) -> Path | None:
    """Draw precision over recall at several similarities, a panel a setting; None where OKS was not computed."""
    panels = [(run.name, group, oks) for run in evaluation.runs for group, oks in run.scores.oks.items()]
    if not panels:
        return None
    figure, axes = make_figure(len(panels))
    shades = _shades(len(PR_SIMILARITIES))
    for ax, (name, group, oks) in zip(axes, panels, strict=True):
        where = f"{name}, {group}" if len(panels) > len(evaluation.runs) else name
        frame(ax, f"{where}: AP {100 * oks.ap:.1f}", "recall", "precision")
        curves = []
        for similarity, shade in zip(PR_SIMILARITIES, shades, strict=True):
            row = oks.precision[int(np.abs(oks.similarities - similarity).argmin())]
            reached = np.flatnonzero(row > 0)
            if len(reached):  # beyond the last recall reached there is no precision, rather than one of 0
                shown = slice(0, reached[-1] + 1)
                curves.append(Curve(oks.recalls[shown], row[shown], f"{similarity:.1f}", shade))
        draw_curves(ax, curves, at_ends=True)
    _note(figure, "Each line ends at the last recall reached;\nits number is the object keypoint similarity demanded.")
    return save(figure, path)


def plot_pck(evaluation: Evaluation, path: Path) -> Path | None:
    """Draw the share of joints found over the distance allowed, and mAP by PCKh where heads have a size.

    Returns:
        The picture; None where neither was computed or measurable.
    """
    measured = [(run.name, run.scores.pck) for run in evaluation.runs if run.scores.pck and run.scores.pck.people]
    with_head = [(run.name, run.scores.pckh) for run in evaluation.runs if run.scores.pckh and run.scores.pckh.people]
    if not measured and not with_head:
        return None
    figure, axes = make_figure(2 * bool(measured) + bool(with_head))
    panel = iter(axes)
    if measured:
        ax = next(panel)
        frame(ax, "Joints found (PCK)", "distance allowed, share of the torso", "share of labelled joints")
        draw_curves(ax, [Curve(p.reaches, p.curve, name, COLOURS[i % 6]) for i, (name, p) in enumerate(measured)])
        mark(ax, PCK_REACH)
        name, pck = measured[-1]
        ax = next(panel)
        joints = _by_joint(pck)
        chosen = np.unique(np.linspace(0, len(joints) - 1, min(len(joints), MOST_JOINTS)).round().astype(int))
        some = f"{len(chosen)} of {len(joints)} joints" if len(chosen) < len(joints) else "By joint"
        frame(ax, f"{some}, {name}", "distance allowed, share of the torso", "")
        draw_curves(
            ax, [joints[i]._replace(colour=shade) for i, shade in zip(chosen, _shades(len(chosen)), strict=True)]
        )
        mark(ax, PCK_REACH)
    if with_head:
        ax = next(panel)
        frame(ax, "mAP by PCKh", "distance allowed, share of the head", "mean average precision")
        draw_curves(ax, [Curve(p.reaches, p.curve, name, COLOURS[i % 6]) for i, (name, p) in enumerate(with_head)])
        mark(ax, PCKH_REACH)
    return save(figure, path)


def _by_joint(pck: PckScores) -> list[Curve]:
    """Return one curve a joint, left and right together, the best first."""
    pairs: dict[str, list[int]] = {}
    for i, joint in enumerate(pck.joints):
        plain = plain_name(joint)
        both = plain[0] in "lr" and {f"l{plain[1:]}", f"r{plain[1:]}"} <= {plain_name(other) for other in pck.joints}
        pairs.setdefault(plain[1:] if both else plain, []).append(i)
    curves = []
    for name, index in pairs.items():
        count = pck.labelled[index]
        if count.sum():
            share = (np.nan_to_num(pck.share[:, index]) * count).sum(axis=1) / count.sum()
            curves.append((name, share))
    curves.sort(key=lambda curve: -float(curve[1][-1]))
    return [Curve(pck.reaches, share, name, INK) for name, share in curves]


def make_figure(panels: int) -> "tuple[Figure, list[Axes]]":
    """Return a figure of that many panels, at most three side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(panels, MOST_PANELS)
    rows = -(-panels // columns)
    figure = Figure(figsize=(4.9 * columns, 4.1 * rows), dpi=160, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.14, h_pad=0.12)  # type: ignore[union-attr, call-arg] # constrained, as asked
    made = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in made[panels:]:
        spare.set_visible(False)
    return figure, made[:panels]


def frame(ax: "Axes", title: str, x: str, y: str) -> None:
    """Give a panel its title, axes and grid; y goes from 0 to 1."""
    ax.set_title(title, loc="left", fontsize=11.5, fontweight="bold", color=INK, pad=10)
    ax.set_xlabel(x, fontsize=9.5, color=SOFT)
    ax.set_ylabel(y, fontsize=9.5, color=SOFT)
    ax.set_ylim(0, 1.005)
    ax.tick_params(length=0, labelsize=9, colors=SOFT, pad=5)
    ax.grid(axis="y", color=LINE, linewidth=0.9)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color("#b9c1cc")


def draw_curves(ax: "Axes", curves: Sequence[Curve], *, at_ends: bool = False) -> None:
    """Draw lines with their names beside them: where each ends, or in a column at the right, kept apart."""
    right = 1.0 if at_ends else max((float(curve.x[-1]) for curve in curves), default=1.0)
    ax.set_xlim(0, right)
    for curve in curves:
        ax.plot(curve.x, curve.y, color=curve.colour, linewidth=2, solid_capstyle="round", clip_on=False)
    heights = [float(curve.y[-1]) for curve in curves]
    if not at_ends:
        heights = _apart(heights, gap=0.05)
    for curve, height in zip(curves, heights, strict=True):
        if at_ends:
            ax.plot(curve.x[-1], curve.y[-1], "o", color=curve.colour, markersize=5, clip_on=False)
        ax.annotate(
            curve.label,
            (float(curve.x[-1]), height),
            xytext=(0, -12) if at_ends else (7, 0),
            textcoords="offset points",
            ha="center" if at_ends else "left",
            va="center",
            fontsize=9,
            fontweight="bold",
            color=curve.colour,
            annotation_clip=False,
        )


def mark(ax: "Axes", reach: float) -> None:
    """Mark the distance of the headline figure."""
    ax.axvline(reach, color="#b9c1cc", linewidth=1, linestyle=(0, (3, 3)), zorder=0)
    ax.annotate(
        f"{reach:g}", (reach, 1.0), xytext=(4, -4), textcoords="offset points", va="top", fontsize=8.5, color=SOFT
    )


def _apart(heights: Sequence[float], *, gap: float) -> list[float]:
    """Return heights, 0 to 1, moved as little as keeps them `gap` apart in their order; closer where room is short."""
    order = np.argsort(heights)
    step = min(gap, 1 / max(len(heights) - 1, 1))
    # Bundles that touch are spread around their middle, until none touch.
    groups = [[float(heights[i])] for i in order]
    k = 0
    while k + 1 < len(groups):
        if _spread(groups[k], step)[-1] + step > _spread(groups[k + 1], step)[0]:
            groups[k : k + 2] = [groups[k] + groups[k + 1]]
            k = max(k - 1, 0)
        else:
            k += 1
    placed = [float(place) for group in groups for place in _spread(group, step)]
    return [placed[rank] for rank in np.argsort(order)]


def _spread(heights: Sequence[float], step: float) -> NDArray[np.float64]:
    """Return as many places `step` apart around the mean, inside 0 to 1."""
    half = step * (len(heights) - 1) / 2
    middle = min(max(float(np.mean(heights)), half), 1 - half)
    return np.asarray(middle + step * (np.arange(len(heights)) - (len(heights) - 1) / 2), dtype=np.float64)


def _shades(count: int) -> list[tuple[float, ...]]:
    """Return colours from blue over purple to orange, dark enough for text on white."""
    from matplotlib import colormaps

    return [tuple(colormaps["plasma"](position)) for position in np.linspace(0.08, 0.76, count)]


def _note(figure: "Figure", text: str) -> None:
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8.5, color=SOFT)


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure whole or not at all; return its path."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    return path
