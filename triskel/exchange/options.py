"""What an export holds: whom, which parts of the body, in which unit, with which axis up."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError
from triskel.keypoints import Points3D
from triskel.motion import Motion3D
from triskel.whole_body import PARTS, Part, part_names, parts_of

Unit = Literal["mm", "cm", "m"]
UNITS: tuple[Unit, ...] = get_args(Unit)
PER_METRE: dict[Unit, float] = {"mm": 1000.0, "cm": 100.0, "m": 1.0}

Y_UP = [1, 2, 0]
"""World axes that become x, y, z where y is up: a cyclic exchange, so that the frame stays right-handed."""


@dataclass(frozen=True)
class ExportOptions:
    """What every exporter understands; None leaves it to the format.

    Attributes:
        units: of the positions; standard deviations stay in millimetres.
        y_up: turn the axes so that y points up, (x, y, z) -> (y, z, x); False keeps the world's z up.
        people: identities to export, in this order; None for all.
        parts: parts of the body; None for the body and whatever else was found of anybody.
    """

    units: Unit | None = None
    y_up: bool | None = None
    people: tuple[int, ...] | None = None
    parts: tuple[Part, ...] | None = None

    def __post_init__(self) -> None:
        if self.units is not None and self.units not in UNITS:
            raise InputError(f"no unit of an export is called {self.units!r}; there are {', '.join(UNITS)}")
        unknown = [part for part in self.parts or () if part not in PARTS]
        if unknown or self.parts == ():
            raise InputError(f"parts of an export are some of {', '.join(PARTS)}, got {', '.join(unknown) or 'none'}")
        if self.people is not None and len(set(self.people)) != len(self.people):
            raise InputError(f"people of an export are different ids, got {', '.join(map(str, self.people))}")


@dataclass(frozen=True, eq=False)
class Chosen:
    """A motion as one format writes it: the people and joints chosen, in its unit and axes.

    Attributes:
        time_s: (F,) s.
        fps: mean rate of the frame sets, NaN for fewer than two.
        ids: (N,) identities.
        joints, parts: J names, and which part each is of.
        cameras: C names, the last axis of `points.views`.
        points: leading shape (F, N, J); `X` in `units`, `X` and `cov_mm2` in the axes chosen.
        gap: (F, N, J) True where the position was interpolated.
        units: of `X`.
        y_up: whether y is up, or z.
    """

    time_s: NDArray[np.float64]
    fps: float
    ids: NDArray[np.int64]
    joints: tuple[str, ...]
    parts: tuple[Part, ...]
    cameras: tuple[str, ...]
    points: Points3D
    gap: NDArray[np.bool_]
    units: Unit
    y_up: bool

    @property
    def axes(self) -> str:
        """Return what the axes are, in words for a file's header."""
        return f"right-handed, {'y' if self.y_up else 'z'} up"


def choose(
    motion: Motion3D,
    options: ExportOptions,
    *,
    units: Unit = "m",
    y_up: bool = False,
    empty_parts: bool = False,
) -> Chosen:
    """Return what of a motion is exported.

    Args:
        motion: people in 3D.
        options: what was asked.
        units: the format's unit where none was asked.
        y_up: the format's axes where none were asked.
        empty_parts: whether the format keeps parts that were never found where none were asked.

    Raises:
        InputError: somebody or a part was asked that the motion does not have.
    """
    n = _people(motion, options)
    j = _joints(motion, options, n, empty_parts=empty_parts)
    unit = options.units or units
    turned = y_up if options.y_up is None else options.y_up
    axes = Y_UP if turned else [0, 1, 2]
    at = np.ix_(np.arange(len(motion.time_s)), n, j)
    points = _points_at(motion.points, at)
    points = points._replace(
        X=points.X[..., axes] * PER_METRE[unit], cov_mm2=points.cov_mm2[..., axes, :][..., :, axes]
    )
    names = part_names(motion.skeleton)
    return Chosen(
        time_s=motion.time_s,
        fps=motion.fps,
        ids=motion.ids[n],
        joints=tuple(motion.skeleton.joints[i] for i in j),
        parts=tuple(names[i] for i in j),
        cameras=motion.cameras,
        points=points,
        gap=motion.gap[at],
        units=unit,
        y_up=turned,
    )


def select_people(motion: Motion3D, options: ExportOptions) -> Motion3D:
    """Return the motion of the people asked for, with all their joints.

    Raises:
        InputError: somebody was asked for who is not there.
    """
    n = _people(motion, options)
    at = np.ix_(np.arange(len(motion.time_s)), n, np.arange(len(motion.skeleton)))
    points = _points_at(motion.points, at)
    return Motion3D(motion.skeleton, motion.cameras, motion.time_s, motion.ids[n], points, motion.gap[at])


def left_out(motion: Motion3D, options: ExportOptions) -> tuple[Part, ...]:
    """Return the parts that no table has columns for because nobody's were ever found; none where parts are asked."""
    if options.parts is not None:
        return ()
    kept = _found_parts(motion, _people(motion, options))
    return tuple(part for part in parts_of(motion.skeleton) if part not in kept)


def _points_at(points: Points3D, at: tuple[NDArray[np.intp], ...]) -> Points3D:
    return Points3D(
        X=points.X[at],
        score=points.score[at],
        reproj_px=points.reproj_px[at],
        views=points.views[at],
        cov_mm2=points.cov_mm2[at],
        missing=points.missing[at],
    )


def _people(motion: Motion3D, options: ExportOptions) -> NDArray[np.intp]:
    """Return the places on the people's axis of those asked for."""
    ids = motion.ids.tolist()
    if options.people is None:
        return np.arange(len(ids), dtype=np.intp)
    unknown = [str(one) for one in options.people if one not in ids]
    if unknown:
        there = ", ".join(map(str, ids)) or "none"
        raise InputError(f"export: nobody has the id {', '.join(unknown)}; the ids are {there}")
    return np.array([ids.index(one) for one in options.people], dtype=np.intp)


def _joints(motion: Motion3D, options: ExportOptions, n: NDArray[np.intp], *, empty_parts: bool) -> NDArray[np.intp]:
    """Return the joints of the parts asked for, in the skeleton's order."""
    parts = parts_of(motion.skeleton)
    unknown = [part for part in options.parts or () if part not in parts]
    if unknown:
        raise InputError(
            f"export: {motion.skeleton.name} has no {', '.join(unknown)}; its parts are {', '.join(parts)}"
        )
    kept = options.parts or (tuple(parts) if empty_parts else _found_parts(motion, n))
    return np.sort(np.concatenate([parts[part] for part in kept]))


def _found_parts(motion: Motion3D, n: NDArray[np.intp]) -> tuple[Part, ...]:
    """Return the parts found of anybody, and the body in any case."""
    found = motion.found[:, n]
    return tuple(part for part, j in parts_of(motion.skeleton).items() if part == "body" or found[..., j].any())
