"""Points that a person has measured or picked: the YAML files that say where they are in the images.

Points with known places, for `place_by_points` and `place_cameras`:

    points:
      - name: door_bottom_left
        world_m: [0.0, 2.0, 0.0]
        px: {cam01: [812.5, 604.0], cam03: [233.0, 590.5]}

Three points that are the floor, for `place_by_three`:

    origin: {cam01: [812.5, 604.0], cam03: [233.0, 590.5]}
    x: {cam01: [902.0, 611.0], cam03: [300.5, 577.0]}
    floor: {cam01: [850.0, 655.0], cam03: [210.0, 640.0]}

Pixels are raw, (0, 0) is the centre of the top-left one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import yaml
from pydantic import Field, ValidationError

from triskel.camera import Rig
from triskel.errors import ConfigError, shown
from triskel.schema import StrictModel, first_problem

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Px = Annotated[list[_Number], Field(min_length=2, max_length=2)]
_Vector3 = Annotated[list[_Number], Field(min_length=3, max_length=3)]


class ScenePoint(NamedTuple):
    """A point with a known place: its name, world (3,) m, and px (u, v) by camera."""

    name: str
    world_m: tuple[float, float, float]
    px: Mapping[str, tuple[float, float]]


class FloorPoints(NamedTuple):
    """Three points on the floor, px (u, v) of each by camera: the origin, one on the x axis, one anywhere else."""

    origin: Mapping[str, tuple[float, float]]
    x: Mapping[str, tuple[float, float]]
    floor: Mapping[str, tuple[float, float]]


class _PointEntry(StrictModel):
    name: str
    world_m: _Vector3
    px: dict[str, _Px]


class _SceneEntry(StrictModel):
    points: Annotated[list[_PointEntry], Field(min_length=1)]


class _FloorEntry(StrictModel):
    origin: dict[str, _Px]
    x: dict[str, _Px]
    floor: dict[str, _Px]


def load_scene_points(path: str | Path) -> tuple[ScenePoint, ...]:
    """Read points with known places; the layout is this module's first example.

    Raises:
        ConfigError: the file cannot be read, a key is unknown or missing, or two points have one name.
    """
    try:
        entry = _SceneEntry.model_validate(_read(path))
    except ValidationError as error:
        raise ConfigError(f"{path}: not a file of scene points: {first_problem(error)}") from error
    names = [point.name for point in entry.points]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{path}: names of points are unique, got twice: {', '.join(twice)}")
    return tuple(
        ScenePoint(point.name, (point.world_m[0], point.world_m[1], point.world_m[2]), _pixels(point.px))
        for point in entry.points
    )


def load_floor_points(path: str | Path) -> FloorPoints:
    """Read three points of the floor; the layout is this module's second example.

    Raises:
        ConfigError: the file cannot be read, or a key is unknown or missing.
    """
    try:
        entry = _FloorEntry.model_validate(_read(path))
    except ValidationError as error:
        raise ConfigError(f"{path}: not a file of three floor points: {first_problem(error)}") from error
    return FloorPoints(_pixels(entry.origin), _pixels(entry.x), _pixels(entry.floor))


def pixels_of(rig: Rig, points: Sequence[Mapping[str, tuple[float, float]]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return px (C, n, 2), NaN where a camera was not given.

    Raises:
        ConfigError: a camera that the rig does not have, or a pixel far outside its image.
    """
    xy = np.full((len(rig), len(points), 2), np.nan)
    for k, px in enumerate(points):
        for name, pixel in px.items():
            w, h = rig[name].size_wh  # raises for an unknown name
            if not (-w <= pixel[0] <= 2 * w and -h <= pixel[1] <= 2 * h):
                raise ConfigError(f"point {k + 1}: pixel {tuple(pixel)} is far outside {name}'s image of {w} x {h} px")
            xy[rig.names.index(name), k] = pixel
    return xy


def _read(path: str | Path) -> object:
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: is a YAML file with keys, got {shown(data)}")
    return data


def _pixels(px: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    return {name: (pixel[0], pixel[1]) for name, pixel in px.items()}
