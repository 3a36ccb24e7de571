"""Curves of hands and faces as a picture: points found, and faces within an error, over the distance allowed."""

from pathlib import Path

from triskel.detect2d.evaluation.faces import FAILURE
from triskel.detect2d.evaluation.hands import SIDES
from triskel.detect2d.evaluation.pck import PCK_REACH
from triskel.detect2d.evaluation.plots import COLOURS, Curve, draw_curves, frame, make_figure, mark, save
from triskel.detect2d.evaluation.run import Evaluation


def plot_parts(evaluation: Evaluation, path: Path) -> Path | None:
    """Draw a panel for the hands of each side and one for the faces, a line a setting.

    Returns:
        The picture; None where there are neither, or none could be measured.
    """
    runs = list(enumerate(evaluation.runs))
    panels: list[tuple[str, str, str, float, list[Curve]]] = []
    for side in SIDES:
        hands = [(i, run.name, run.scores.hand[side].pck) for i, run in runs if side in run.scores.hand]
        lines = [Curve(pck.reaches, pck.curve, name, COLOURS[i % 6]) for i, name, pck in hands if pck.people]
        x, y = "distance allowed, share of the hand", "share of labelled points"
        panels.append((f"{side.capitalize()} hands", x, y, PCK_REACH, lines))
    faces = [(i, run.name, run.scores.face) for i, run in runs if run.scores.face and run.scores.face.labelled]
    lines = [Curve(face.reaches, face.curve, name, COLOURS[i % 6]) for i, name, face in faces]
    panels.append(
        ("Faces", "mean error allowed, share of the eyes' distance", "share of labelled faces", FAILURE, lines)
    )
    panels = [panel for panel in panels if panel[-1]]
    if not panels:
        return None
    figure, axes = make_figure(len(panels))
    for ax, (title, x, y, reach, curves) in zip(axes, panels, strict=True):
        frame(ax, title, x, y)
        draw_curves(ax, curves)
        mark(ax, reach)
    return save(figure, path)
