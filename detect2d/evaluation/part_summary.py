"""The figures of hands and faces as plain numbers and as rows of tables."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.evaluation.hands import HAND_REACHES, hand_pck
from triskel.detect2d.evaluation.pck import PCK_REACH
from triskel.detect2d.evaluation.run import Run
from triskel.detect2d.evaluation.score import Scores


def percent(value: float) -> str:
    """Return a share 0 to 1 as percent with one decimal; a dash where there is none."""
    return f"{100 * value:.1f}" if math.isfinite(value) else "–"  # noqa: RUF001 - a dash is meant


def part_figures(scores: Scores) -> dict[str, Any]:
    """Return what `summary.json` holds of hands and faces; nothing where there are none."""
    made: dict[str, Any] = {}
    if scores.hand:
        sides = {
            side: {
                "hands": one.pck.people,
                "unmeasured": one.pck.unmeasured,
                "found": one.found,
                **{f"PCK@{reach:g}": one.pck.at(reach) for reach in HAND_REACHES},
                "hand_shares": one.pck.reaches,
                "curve": one.pck.curve,
                "joints": dict(zip(one.pck.joints, _at(one.pck.reaches, one.pck.share), strict=True)),
            }
            for side, one in scores.hand.items()
        }
        made["hand"] = {"PCK@0.2": hand_pck(scores.hand), **sides}
    if scores.face:
        face = scores.face
        made["face"] = {
            "faces": face.labelled,
            "unmeasured": face.unmeasured,
            "found": face.found,
            "points_found": face.present,
            "NME": face.nme,
            "groups": dict(face.groups),
            "failures@0.1": face.failures,
            "eye_shares": face.reaches,
            "curve": face.curve,
        }
    return made


def _at(reaches: NDArray[np.float64], share: NDArray[np.float64], reach: float = PCK_REACH) -> list[float]:
    return [float(np.interp(reach, reaches, column)) for column in share.T]


def part_notes(scores: Scores) -> tuple[str, ...]:
    """Return what a reader of the figures must know: hands and faces that could not be measured."""
    notes = []
    unmeasured = sum(one.pck.unmeasured for one in scores.hand.values())
    if unmeasured:
        of = unmeasured + sum(one.pck.people for one in scores.hand.values())
        notes.append(f"hand PCK: {unmeasured} of {of} hands have no size to measure")
    if scores.face and scores.face.unmeasured:
        of = scores.face.unmeasured + scores.face.labelled
        notes.append(f"face NME: {scores.face.unmeasured} of {of} faces have no label of both outer eye corners")
    if not scores.oks and (scores.hand or scores.face):
        notes.append("the body is not scored: not asked for, or nobody has a label of it")
    return tuple(notes)


def hand_rows(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Return a row for each setting and side, as text by column; none where nobody has a labelled hand."""
    return [
        {
            "Hands": f"{run.name}, {side}",
            "labelled": str(one.pck.people),
            "found": str(one.found),
            **{f"PCK@{reach:g}": percent(one.pck.at(reach)) for reach in HAND_REACHES},
        }
        for run in runs
        for side, one in run.scores.hand.items()
    ]


def face_rows(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Return a row for each setting, as text by column; none where nobody has a labelled face."""
    return [
        {
            "Faces": run.name,
            "labelled": str(face.labelled),
            "found": str(face.found),
            "NME": percent(face.nme),
            **{name: percent(value) for name, value in face.groups.items()},
            "failed": percent(face.failures),
        }
        for run in runs
        if (face := run.scores.face)
    ]
