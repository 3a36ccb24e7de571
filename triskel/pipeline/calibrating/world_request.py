"""What a user may say about a rig's world, and carrying it out: first where it is, then how large."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from triskel.calibration.boards import Board
from triskel.camera import Rig
from triskel.errors import InputError
from triskel.pipeline.calibrating.world import people_in_world, place_on_floor_board, read_wand
from triskel.progress import Progress, silent
from triskel.session import Session

if TYPE_CHECKING:
    from triskel.calibration.world import Placed

_ORIGINS = {"floor_board": ("corner", "middle"), "people": ("person", "cameras")}


@dataclass(frozen=True, kw_only=True)
class WorldRequest:
    """Where a rig's world shall be, and how large; at most one way to say each.

    Attributes:
        floor_board: recording or pictures of a board on the floor.
        boards: that board.
        floor_points: YAML of three points on the floor.
        scene_points: YAML of points with known places, which give the scale too.
        keep_scale: with `scene_points`, the scale stays.
        place_cameras: with `scene_points`, every pose is found anew; only the lenses are taken from the rig.
        people: a session of people who stand and walk.
        height_m: with `people`, how tall one is.
        person: the place, among the people found, of who that is.
        wand: CSV of the pixels of a wand's two markers.
        wand_length_m: their distance.
        origin: `corner` or `middle` of the floor board; `person` or `cameras` with people; empty for the first.
    """

    floor_board: Path | None = None
    boards: tuple[Board, ...] = ()
    floor_points: Path | None = None
    scene_points: Path | None = None
    keep_scale: bool = False
    place_cameras: bool = False
    people: Path | None = None
    height_m: float | None = None
    person: int | None = None
    wand: Path | None = None
    wand_length_m: float | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        ways = {
            "--floor-board": self.floor_board,
            "--floor-points": self.floor_points,
            "--scene-points": self.scene_points,
            "--people": self.people,
        }
        said = [option for option, value in ways.items() if value is not None]
        if len(said) > 1:
            raise InputError(f"{' and '.join(said)} say both where the world is; give one of them")
        if not said and self.wand is None:
            raise InputError(f"say where the world is, with one of {', '.join(ways)}, or how large, with --wand")
        if (self.wand is None) != (self.wand_length_m is None):
            raise InputError("--wand and --wand-length go together")
        if self.wand is not None and self.height_m is not None:
            raise InputError("--wand and --height say both how large the world is; give one of them")
        if self.height_m is not None and self.people is None:
            raise InputError("--height needs --people, a session with the person in it")
        if (self.keep_scale or self.place_cameras) and self.scene_points is None:
            raise InputError("--keep-scale and --place-cameras go with --scene-points")
        if self.keep_scale and self.place_cameras:
            raise InputError("--place-cameras finds the scale with the poses: leave --keep-scale out")
        if self.floor_board is not None and not self.boards:
            raise InputError("--floor-board needs --board, the description of the board that lies there")
        kind = "floor_board" if self.floor_board is not None else "people" if self.people is not None else ""
        allowed = _ORIGINS.get(kind, ())
        if self.origin and self.origin not in allowed:
            text = f"is {' or '.join(allowed)}" if allowed else "goes with --floor-board or --people"
            raise InputError(f"--origin {text}, got {self.origin!r}")


def change_world(rig: Rig, request: WorldRequest, *, progress: Progress = silent) -> "list[Placed]":
    """Carry out a request, and return each step; the last one has the rig.

    Args:
        rig: the rig as it is.
        request: what is wanted.
        progress: told about what takes long.

    Raises:
        InputError: the data cannot say it; the message says why.
    """
    from triskel.calibration.world import scale_from_wand

    steps = _placed(rig, request, progress)
    if request.wand is not None and request.wand_length_m is not None:
        last = steps[-1].rig if steps else rig
        steps.append(scale_from_wand(last, read_wand(request.wand, last), request.wand_length_m))
    return steps


def _placed(rig: Rig, request: WorldRequest, progress: Progress) -> "list[Placed]":
    from triskel.calibration.world import (
        Placed,
        load_floor_points,
        load_scene_points,
        place_by_points,
        place_by_three,
        place_cameras,
    )
    from triskel.rigid import Rigid

    if request.floor_board is not None:
        at: Literal["corner", "middle"] = "middle" if request.origin == "middle" else "corner"
        return [place_on_floor_board(rig, request.floor_board, request.boards, origin=at, progress=progress)]
    if request.floor_points is not None:
        return [place_by_three(rig, load_floor_points(request.floor_points))]
    if request.scene_points is not None:
        points = load_scene_points(request.scene_points)
        if not request.place_cameras:
            return [place_by_points(rig, points, fixed_scale=request.keep_scale)]
        found = place_cameras(rig, points)
        lines = [
            f"{camera.name}: {int(kept.sum())} points, {rms:.2f} px RMS"
            for camera, kept, rms in zip(found.rig, found.kept, found.rms_px, strict=True)
        ]
        worst = np.nanmax(np.where(found.kept, found.residual_px, np.nan), axis=0, initial=0.0)
        order = np.argsort(-worst, kind="stable")[:3]
        lines.append("largest errors: " + ", ".join(f"{points[i].name} {worst[i]:.1f} px" for i in order))
        return [Placed(found.rig, Rigid.identity(), 1.0, float("nan"), (*lines, *found.messages))]
    return _placed_by_people(rig, request) if request.people is not None else []


def _placed_by_people(rig: Rig, request: WorldRequest) -> "list[Placed]":
    from triskel.calibration.world import place_from_people, scale_from_height
    from triskel.calibration.world.placed import moved_points
    from triskel.motion import Motion3D

    if request.people is None:
        raise ValueError("needs a session")
    scaled, motion = people_in_world(rig, Session.open(request.people))
    steps = [scaled] if scaled.scale != 1 else []

    def in_new(motion: Motion3D, placed: "Placed") -> Motion3D:
        from dataclasses import replace

        return replace(motion, points=motion.points._replace(X=moved_points(placed, motion.points.X)))

    if request.height_m is not None:
        steps.append(scale_from_height(scaled.rig, motion, request.height_m, person=request.person))
        motion = in_new(motion, steps[-1])
    origin: Literal["person", "cameras"] = "cameras" if request.origin == "cameras" else "person"
    steps.append(place_from_people(steps[-1].rig if steps else scaled.rig, motion, origin=origin))
    return steps
