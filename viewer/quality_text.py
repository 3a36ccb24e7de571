"""The quality of 3D as plain text for people, and as JSON for programs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from triskel.viewer.quality import REASONS, Quality
from triskel.viewer.verdict import SHORT, camera_doubts, verdict, why

MOST_NOBODY = 12
"""Stretches without anybody that are listed for people; programs get all."""


def number(value: float, decimals: int = 1) -> str:
    """Return a number for readers; a dash where there is none."""
    return f"{value:,.{decimals}f}" if math.isfinite(value) else "–"  # noqa: RUF001 - a dash is meant


def reasons_there(quality: Quality) -> list[int]:
    """Return the places among `REASONS` of those for which any joint is missing."""
    total = np.sum([one.missing_percent for one in quality.joints] or [(0.0,) * len(REASONS)], axis=0)
    return [int(k) for k in np.flatnonzero(total > 0)]


def view_bins(cameras: int) -> list[tuple[str, int, int]]:
    """Return (label, first, last) of numbers of cameras that are told apart: each one up to 8, then by doubling."""
    bins = [(str(k), k, k) for k in range(2, min(cameras, 8) + 1)]
    first = 9
    while first <= cameras:
        last = min(2 * (first - 1), cameras)
        bins.append((f"{first}-{last}" if last > first else str(first), first, last))
        first = last + 1
    return bins


def quality_text(quality: Quality) -> str:
    """Return the numbers as plain text, the verdict first; doubts about cameras are among a report's warnings."""
    blocks = [
        verdict(quality),
        _people(quality),
        _cameras(quality),
        _joints(quality),
        _limbs(quality),
        _nobody(quality),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def quality_json(quality: Quality) -> dict[str, Any]:
    """Return the numbers for programs: plain dicts and lists, None for NaN."""
    reprojection = quality.reprojection
    names = [row.joint for row in quality.joints]
    return _plain(
        {
            "format": "triskel-quality 1",
            "frames": quality.frames,
            "fps": quality.fps,
            "verdict": verdict(quality),
            "warnings": camera_doubts(quality),
            "people": quality.people,
            "joints": [
                row._asdict() | {"missing_percent": dict(zip(_reason_names(), row.missing_percent, strict=True))}
                for row in quality.joints
            ],
            "cameras": quality.cameras,
            "reprojection": {
                "frames": reprojection.frames,
                "by_camera": {
                    camera.camera: {
                        joint: {
                            "median_px": reprojection.median_px[c, r],
                            "p95_px": reprojection.p95_px[c, r],
                            "points": reprojection.points[c, r],
                            "bias_px": reprojection.bias_px[c, r],
                        }
                        for r, joint in enumerate(names)
                    }
                    for c, camera in enumerate(quality.cameras)
                },
            },
            "limbs": quality.limbs,
            "empty_frames": quality.empty_frames,
            "nobody": quality.nobody,
        }
    )


def _reason_names() -> list[str]:
    return [reason.name.lower() for reason in REASONS]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Turn tuples with names into dicts, arrays into lists, and numbers that JSON does not have into None."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with the first column to the left and the others to the right, as wide as they need."""
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in [heads, *rows]
    ]


def _people(quality: Quality) -> list[str]:
    heads = ("person", "frames", "seen %", "joints %", "after filling %", "of it gaps %", "sigma mm")
    return _table(
        heads,
        [(str(one.person), f"{one.first}-{one.last}", *(number(value) for value in one[3:])) for one in quality.people],
    )


def _cameras(quality: Quality) -> list[str]:
    heads: tuple[str, ...] = ("camera", "points", "rejected %", "median px", "p95 px", "all px", "bias x", "bias y")
    heads += ("left out px", "others with", "without px", "late ms", "+-", "frames")
    rows = []
    for one in quality.cameras:
        shown = (one.rejected_percent, one.median_px, one.p95_px, one.all_px, *one[7:])
        rows.append((one.camera, f"{one.points:,}", *(number(v, 2 if k == 10 else 1) for k, v in enumerate(shown))))
    key = [
        "rejected: detections not used; median, p95: distance of those used from the projected 3D; all: of every one;",
        "bias: median offset, right and down; left out: distance from what the other cameras make alone; others with,",
        "without: how the others fit with this camera, and without it; late: its pictures come later than they should",
        "(negative: earlier), +- standard error, and the same in frames",
    ]
    return [*key, *_table(heads, rows)] if rows else []


def _joints(quality: Quality) -> list[str]:
    there = reasons_there(quality)
    bins = view_bins(len(quality.cameras))
    heads = ("joint", "found %", *(label for label, _, _ in bins), "filled %", "sigma mm")
    heads += tuple(SHORT[REASONS[k]] for k in there)
    rows = []
    for one in quality.joints:
        cells = [
            number(sum(one.views_percent[1:])),
            *(number(sum(one.views_percent[a : b + 1]), 0) for _, a, b in bins),
        ]
        cells += [number(one.filled_percent), number(one.sigma_mm)]
        rows.append((one.joint, *cells, *(number(one.missing_percent[k]) for k in there)))
    table = _table(heads, rows)
    note = "found: % of samples, then % from 2, 3, ... cameras; last columns: % missing for that reason"
    return [note, *table] if table else []


def _limbs(quality: Quality) -> list[str]:
    heads = ("limb", "person", "mean cm", "SD cm", "SD %", "before filtering %", "left-right %")
    rows = [(one.limb, str(one.person), *(number(value) for value in one[2:])) for one in quality.limbs]
    return _table(heads, rows)


def _nobody(quality: Quality) -> list[str]:
    lines = []
    for one in quality.nobody[:MOST_NOBODY]:
        reason = why(one)
        frames = f"frame {one.first}" if one.frames == 1 else f"frames {one.first}-{one.last}"
        lines.append(f"nobody in {frames}" + (f": {reason}" if reason else ""))
    if len(quality.nobody) > MOST_NOBODY:
        lines.append(f"and in {len(quality.nobody) - MOST_NOBODY} more stretches; {quality.empty_frames} frames in all")
    return lines
