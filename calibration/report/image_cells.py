"""What happens in which part of an image: counts and mean residuals over cells, and words for where corners were."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CELLS = 12
"""Cells along the longer side of an image: enough to see the shape of a lens, few enough to fill."""

ONE_SIDED = 0.95
"""Share of the corners on one side of the centre from which on they are called all there."""

UNSEEN_EDGE = 0.75
"""Share of the cells along an edge of the image without any corner from which on the edge was not seen."""


class Cells(NamedTuple):
    """Corners sorted into the cells of an image.

    Attributes:
        counts: (rows, columns) corners seen.
        mean_px: (rows, columns, 2) mean residual, observed minus projected, px; NaN in empty cells.
    """

    counts: NDArray[np.int64]
    mean_px: NDArray[np.float64]

    @property
    def seen_share(self) -> float:
        """Return the share of the cells in which any corner was seen."""
        return float((self.counts > 0).mean())


def into_cells(
    xy: NDArray[np.float64], residual_px: NDArray[np.float64], size_wh: tuple[int, int], *, longer: int = CELLS
) -> Cells:
    """Sort corners (n, 2) and their residuals (n, 2), px, into about square cells; points outside count at the border.

    Args:
        xy: raw px; rows that are not finite are passed over.
        residual_px: observed minus projected; may be NaN, which leaves a corner counted but out of the mean.
        size_wh: of the image.
        longer: number of cells along its longer side.
    """
    w, h = size_wh
    columns = max(2, round(longer * w / max(w, h)))
    rows = max(2, round(longer * h / max(w, h)))
    finite = np.isfinite(xy).all(axis=1)
    xy, residual_px = xy[finite], residual_px[finite]
    i = np.clip((xy[:, 0] + 0.5) / w * columns, 0, columns - 1).astype(np.int64)
    j = np.clip((xy[:, 1] + 0.5) / h * rows, 0, rows - 1).astype(np.int64)
    at = j * columns + i
    counts = np.bincount(at, minlength=rows * columns)
    good = np.isfinite(residual_px).all(axis=1)
    n = np.bincount(at[good], minlength=rows * columns)
    sums = [np.bincount(at[good], weights=residual_px[good, k], minlength=rows * columns) for k in range(2)]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.stack(sums, axis=-1) / n[:, None]
    return Cells(counts.reshape(rows, columns), mean.reshape(rows, columns, 2))


def side_words(xy: NDArray[np.float64], size_wh: tuple[int, int]) -> tuple[str, str]:
    """Say where nearly all corners (n, 2), px, lie, and where to go instead; two empty strings where they are spread.

    Returns:
        Such as ("left of centre", "on the right") or ("in the upper left", "in the lower right").
    """
    xy = xy[np.isfinite(xy).all(axis=1)]
    if not len(xy):
        return "", ""
    share = (xy < (np.array(size_wh) - 1) / 2).mean(axis=0)  # of the corners left of and above the centre
    across = "left" if share[0] >= ONE_SIDED else "right" if share[0] <= 1 - ONE_SIDED else ""
    down = "upper" if share[1] >= ONE_SIDED else "lower" if share[1] <= 1 - ONE_SIDED else ""
    other = {"left": "right", "right": "left", "upper": "lower", "lower": "upper", "": ""}
    if across and down:
        return f"in the {down} {across}", f"on the {other[across]} and in the {other[down]} half"
    if across:
        return f"{across} of centre", f"on the {other[across]}"
    if down:
        return f"in the {down} half", f"in the {other[down]} half"
    return "", ""


def unseen_edges(counts: NDArray[np.int64]) -> list[str]:
    """Return the parts of the image's border that were hardly seen: left, right, top, bottom, or single corners.

    Args:
        counts: (rows, columns) corners seen in each cell.
    """
    rows, columns = counts.shape
    empty = counts == 0
    w, h = max(1, columns // 6), max(1, rows // 6)
    bands = {
        "left edge": empty[:, :w],
        "right edge": empty[:, -w:],
        "top edge": empty[:h],
        "bottom edge": empty[-h:],
    }
    edges = [name for name, band in bands.items() if band.mean() >= UNSEEN_EDGE]
    if edges:
        return edges
    w, h = max(2, columns // 4), max(2, rows // 4)
    quarters = {
        "top left corner": empty[:h, :w],
        "top right corner": empty[:h, -w:],
        "bottom left corner": empty[-h:, :w],
        "bottom right corner": empty[-h:, -w:],
    }
    return [name for name, part in quarters.items() if part.all()]


def joined(words: Sequence[str], *, most: int = 4) -> str:
    """Return 'a, b and c', or 'a, b and 7 more' where there are more than can be read."""
    words = list(words)
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
