"""What goes on the page: the board at its true size, a ruler to check the print with, and what board it is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards.board import PrintableBoard, mm
from triskel.calibration.boards.description import boards_text
from triskel.errors import ConfigError

PAGES_MM = {
    "a0": (841.0, 1189.0),
    "a1": (594.0, 841.0),
    "a2": (420.0, 594.0),
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "letter": (215.9, 279.4),
    "tabloid": (279.4, 431.8),
}
"""Width and height, upright."""

MARGIN_MM = 8.0
"""What most printers can print up to; a smaller one is cut off, or the page shrunk."""

FOOT_MM = 13.5
"""Height of ruler and caption below the board."""

TEXT_MM = 2.6
"""Height of a line of the caption; its letters are 0.7 of it."""


class Text(NamedTuple):
    """A line of text: its left end and base line, mm from the page's top left."""

    x: float
    y: float
    height: float
    words: str


class Page(NamedTuple):
    """A page to print, mm from its top left corner.

    Attributes:
        size_mm: width and height.
        background: left, top, right, bottom of the black ground of an inverted board, or None.
        pattern: (n, 4) the board's rectangles; white on the background, else black.
        ruler: (n, 4) black rectangles.
        texts: the caption's lines, and the ruler's numbers.
        origin_mm: where the board's frame has its origin.
    """

    size_mm: tuple[float, float]
    background: tuple[float, float, float, float] | None
    pattern: NDArray[np.float64]
    ruler: NDArray[np.float64]
    texts: tuple[Text, ...]
    origin_mm: tuple[float, float]


def page_size_mm(text: str) -> tuple[float, float]:
    """Return the size of a page that is named, as `a4`, or given, as `500x700` in mm.

    Raises:
        ConfigError: it is neither.
    """
    name = text.strip().lower()
    if name in PAGES_MM:
        return PAGES_MM[name]
    try:
        width, height = (float(part) for part in name.split("x"))
    except ValueError as error:
        raise ConfigError(
            f"page is {', '.join(PAGES_MM)} or WIDTHxHEIGHT in mm, such as 500x700, got {text!r}"
        ) from error
    if not (30 <= width <= 5000 and 30 <= height <= 5000):
        raise ConfigError(f"page is 30 to 5000 mm wide and high, got {text!r}")
    return width, height


def lay_out(board: PrintableBoard, *, page_mm: tuple[float, float], margin_mm: float = MARGIN_MM) -> Page:
    """Put a board on a page, upright or across, whichever it fits.

    Args:
        board: what to print.
        page_mm: width and height of the paper.
        margin_mm: what stays free on all sides.

    Raises:
        ConfigError: the board is larger than the page; the message says which page would do.
    """
    if not 0 <= margin_mm < min(page_mm) / 3:
        raise ConfigError(f"margin is 0 mm to a third of the page, got {margin_mm}")
    left, top, right, bottom = (1000 * side for side in board.outline_m)
    rim = rim_mm(board)
    width, height = right - left + 2 * rim, bottom - top + 2 * rim
    size = _turned(page_mm, width, height, margin_mm)
    if size is None:
        raise ConfigError(
            f"{board.name}: the board is {width:.1f} x {height:.1f} mm and does not fit on {page_mm[0]:g} x"
            f" {page_mm[1]:g} mm with margins of {margin_mm:g} mm and {FOOT_MM:g} mm for the ruler;"
            f" {_advice(width, height, margin_mm)}"
        )
    free = size[1] - 2 * margin_mm - FOOT_MM - height
    x0, y0 = (size[0] - width) / 2, margin_mm + free / 2
    origin = x0 + rim - left, y0 + rim - top
    pattern = board.ink() * 1000 + np.array(origin * 2)
    background = None
    if board.inverted:
        background = (x0, y0, x0 + width, y0 + height)
    ruler, numbers = _ruler(margin_mm + 0.1, size[1] - margin_mm - FOOT_MM + 1.5, size[0] - 2 * margin_mm)
    caption = _caption(board, margin_mm, size[1] - margin_mm, size[0] - 2 * margin_mm)
    return Page(size, background, pattern, ruler, (*numbers, *caption), origin)


def rim_mm(board: PrintableBoard) -> float:
    """Return the width of the black ground around an inverted board; other boards have the paper's white."""
    if not board.inverted:
        return 0.0
    left, top, right, bottom = board.outline_m
    return float(np.clip(0.02 * 1000 * max(right - left, bottom - top), 2.0, 20.0))


def _turned(page_mm: tuple[float, float], width: float, height: float, margin: float) -> tuple[float, float] | None:
    """Return the page as given or turned, so that the board fits; None if it does not."""
    for size in (page_mm, page_mm[::-1]):
        # A micrometre for rounding.
        if width <= size[0] - 2 * margin + 1e-3 and height <= size[1] - 2 * margin - FOOT_MM + 1e-3:
            return size
    return None


def _advice(width: float, height: float, margin: float) -> str:
    """Say which page would do, or none."""
    for name in ("a4", "a3", "a2", "a1", "a0"):
        if _turned(PAGES_MM[name], width, height, margin):
            return f"choose page {name}, or smaller or fewer squares"
    return f"give a page of at least {width + 2 * margin:.0f}x{height + 2 * margin + FOOT_MM:.0f}, or fewer squares"


def _ruler(x: float, y: float, room: float) -> tuple[NDArray[np.float64], tuple[Text, ...]]:
    """Return a ruler with a tick each mm, as long as there is room, up to 200 mm, and its numbers."""
    length = int(min(200, (room - 8) // 10 * 10))
    ticks = []
    for at in range(length + 1):
        long = 4.0 if at % 10 == 0 else 3.0 if at % 5 == 0 else 1.8
        ticks.append((x + at - 0.1, y, x + at + 0.1, y + long))
    ticks.append((x - 0.1, y - 0.2, x + length + 0.1, y))
    numbers = [Text(x + at + 0.6, y + 4.0, 2.2, str(at)) for at in range(0, length, 10)]
    numbers.append(Text(x + length + 0.6, y + 4.0, 2.2, f"{length} mm"))
    return np.array(ticks), tuple(numbers)


def _caption(board: PrintableBoard, x: float, bottom: float, room: float) -> list[Text]:
    """Return what board it is, how to print it, and its description to copy, above the margin's edge."""
    flow = " | ".join(boards_text([board]).strip().splitlines())
    lines = [
        f"{board.describe()}. Print at 100 %, glue it onto something flat, measure the ruler above.",
        f"triskel: {flow}",
    ]
    # A letter is half as wide as it is high, or narrower.
    longest = max(map(len, lines))
    height = min(TEXT_MM, room / longest / 0.5 / 0.72)
    return [
        Text(x, bottom - (len(lines) - 1 - i) * TEXT_MM * 1.25 - 0.8, height * 0.72, line)
        for i, line in enumerate(lines)
    ]


def size_mm(board: PrintableBoard) -> str:
    """Return how large the pattern is, as people say it."""
    left, top, right, bottom = board.outline_m
    return f"{mm(right - left)} x {mm(bottom - top)}"
