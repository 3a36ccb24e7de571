"""The look of the report's pictures: colours, sizes, and what all axes have in common."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure

INK, SOFT, LINE, PAPER = "#1b2330", "#5d6879", "#e2e6ec", "#ffffff"
BLUE, ORANGE, RED, UNSEEN = "#2563c9", "#e0761c", "#d9362b", "#f3d9d4"
WIDTH_IN, DPI = 10.4, 120
Layout = Literal["constrained", "compressed"]
TALLEST_IN = 60.0
"""32 cameras make a tall picture; beyond this it no longer opens everywhere."""


def new_figure(
    rows: int, columns: int, height_in: float, *, widths: Sequence[float] = (), layout: Layout = "constrained"
) -> "tuple[Figure, list[Axes]]":
    """Return a figure of the report's width that draws without a display, and its axes row by row.

    Axes of one fixed shape each, such as images, want the layout `compressed`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, min(height_in, TALLEST_IN)), dpi=DPI, facecolor=PAPER, layout=layout)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, width_ratios=widths or None)
    return figure, axes.ravel().tolist()


def panel(ax: "Axes", title: str, x: str = "", y: str = "") -> None:
    """Give axes a title, names and no frame."""
    ax.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=7)
    ax.set_xlabel(x, fontsize=9, color=SOFT)
    ax.set_ylabel(y, fontsize=9, color=SOFT)
    ax.tick_params(length=0, colors=SOFT, labelsize=8.5, which="both")
    ax.set_axisbelow(True)
    for spine in ax.spines.values():
        spine.set_visible(False)


def image_frame(ax: "Axes", size_wh: tuple[int, int], title: str, *, small: bool) -> None:
    """Make axes an image: pixel coordinates, y down, its border drawn."""
    w, h = size_wh
    ax.set_xlim(-0.5, w - 0.5)
    ax.set_ylim(h - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    size = 7.5 if small else 9.5
    ax.set_title(plain(title, most=14 if small else 22), loc="left", fontsize=size, fontweight="bold", color=INK, pad=3)
    for spine in ax.spines.values():
        spine.set_color(LINE)


def colour_bar(figure: "Figure", axes: "Axes | Sequence[Axes]", mappable: "ScalarMappable", label: str) -> "Colorbar":
    """Put a scale of colours beside axes."""
    bar = figure.colorbar(mappable, ax=axes, pad=0.01, shrink=0.8, aspect=22)
    bar.ax.tick_params(length=0, labelsize=8, colors=SOFT)
    bar.set_label(label, fontsize=8, color=SOFT)
    bar.outline.set_visible(False)
    return bar


def plain(text: str, *, most: int = 22) -> str:
    """Return a name as it is to be drawn: dollar signs are no formulae, and names are cut at so many letters."""
    text = text if len(text) <= most else f"{text[: most - 1]}…"
    return text.replace("$", r"\$")
