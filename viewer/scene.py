"""What there is to see, as plain arrays: skeletons, ground grid, camera frusta, axes. Knows nothing of windows."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Camera, Rig
from triskel.motion import Motion3D
from triskel.whole_body import parts_of

BACKGROUND = (0.055, 0.066, 0.086)
GRID = (0.20, 0.23, 0.28)
FRUSTUM = (0.55, 0.68, 0.84)
AXES = ((0.93, 0.33, 0.36), (0.42, 0.80, 0.42), (0.36, 0.58, 0.96))
TINTS = ((1.0, 1.0, 1.0), (1.0, 0.62, 0.2), (0.3, 0.8, 1.0), (0.85, 0.45, 1.0), (0.5, 1.0, 0.45), (1.0, 0.45, 0.6))
"""The person colours, repeated after the sixth person; white leaves the limb colours as they are."""

FAR_M = 25.0
"""The grid ends here at the latest, measured from the people, m."""


class Lines(NamedTuple):
    """Straight segments: `ends` (S, 2, 3) m, NaN = not drawn; `colours` (S, 3) in [0, 1]; `radius` (S,) m."""

    ends: NDArray[np.float64]
    colours: NDArray[np.float64]
    radius: NDArray[np.float64]


class Balls(NamedTuple):
    """Points: `centres` (P, 3) m, NaN = not drawn; `colours` (P, 3) in [0, 1]; `radius` (P,) m."""

    centres: NDArray[np.float64]
    colours: NDArray[np.float64]
    radius: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Label:
    """A text at a place in the world (3,), m, with a colour in [0, 1]."""

    text: str
    at: NDArray[np.float64]
    colour: tuple[float, float, float]


def join(*parts: Lines) -> Lines:
    """Return all segments as one set."""
    return Lines(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def person_tint(place: int) -> tuple[float, float, float]:
    """Return the colour of the person at a place of the person axis; the first one is white: untinted."""
    return TINTS[place % len(TINTS)]


def people_labels(motion: Motion3D, frame: int) -> list[Label]:
    """Return each visible person's id above the highest joint; none for a single person."""
    labels = []
    for n, identity in enumerate(motion.ids):
        X = motion.points.X[frame, n, parts_of(motion.skeleton)["body"]]
        X = X[np.isfinite(X[:, 0])]
        if len(motion.ids) > 1 and len(X):
            at = np.r_[np.median(X[:, :2], axis=0), X[:, 2].max() + 0.18]
            labels.append(Label(f"person {identity}", at, person_tint(n)))
    return labels


def people_bounds(motion: Motion3D) -> NDArray[np.float64]:
    """Return the box (2, 3), m, that holds the bodies, outliers left out; a 2 m box at the origin for nobody."""
    # A face has so many points that the feet would be outliers beside it.
    body = parts_of(motion.skeleton)["body"]
    X = motion.points.X[:, :, body][motion.found[:, :, body]]
    if not len(X):
        return np.array([[-1.0, -1.0, 0.0], [1.0, 1.0, 2.0]])
    return np.asarray(np.percentile(X, [1, 99], axis=0))


def ground_grid(motion: Motion3D, rig: Rig | None = None) -> Lines:
    """Return 1 m lines at z = 0 under the people and, within `FAR_M`, the cameras."""
    bounds = people_bounds(motion)
    low, high = bounds[0, :2] - 1, bounds[1, :2] + 1
    if rig is not None:
        centres = np.array([camera.centre[:2] for camera in rig])
        low, high = np.minimum(low, centres.min(axis=0)), np.maximum(high, centres.max(axis=0))
    middle = bounds[:, :2].mean(axis=0)
    low, high = np.floor(np.maximum(low, middle - FAR_M)), np.ceil(np.minimum(high, middle + FAR_M))
    x, y = (np.arange(low[i], high[i] + 0.5) for i in (0, 1))
    along_y = np.array([[[v, low[1], 0], [v, high[1], 0]] for v in x])
    along_x = np.array([[[low[0], v, 0], [high[0], v, 0]] for v in y])
    ends = np.concatenate([along_y, along_x])
    return Lines(ends, np.tile(GRID, (len(ends), 1)), np.full(len(ends), 0.005))


def frustum_depth(rig: Rig) -> float:
    """Return how deep to draw the frusta, m: a tenth of the median distance to the middle of the rig, 0.2 to 0.6."""
    centres = np.array([camera.centre for camera in rig])
    distance = float(np.median(np.linalg.norm(centres - centres.mean(axis=0), axis=-1)))
    return float(np.clip(0.1 * distance, 0.2, 0.6))


def camera_corners(camera: Camera, depth_m: float) -> NDArray[np.float64]:
    """Return the image corners (4, 3) of a camera's frustum at `depth_m`, in the world, m; lens distortion left out."""
    w, h = camera.size_wh
    corners = np.array([[-0.5, -0.5, 1], [w - 0.5, -0.5, 1], [w - 0.5, h - 0.5, 1], [-0.5, h - 0.5, 1]])
    return camera.cam_from_world.inverse.apply(depth_m * corners @ np.linalg.inv(camera.K).T)


def camera_frusta(rig: Rig) -> Lines:
    """Return each camera's pyramid, 11 lines a camera; the small roof marks the top of its image."""
    depth = frustum_depth(rig)
    ends = []
    for camera in rig:
        a, b, c, d = camera_corners(camera, depth)
        roof = (a + b) / 2 + 0.35 * ((a + b) / 2 - (c + d) / 2)
        lower, upper = a + 0.25 * (b - a), a + 0.75 * (b - a)
        apex = camera.centre
        ends += [(apex, a), (apex, b), (apex, c), (apex, d), (a, b), (b, c), (c, d), (d, a)]
        ends += [(lower, roof), (roof, upper), (lower, upper)]
    return Lines(np.array(ends), np.tile(FRUSTUM, (len(ends), 1)), np.full(len(ends), 0.022 * depth))


def camera_labels(rig: Rig) -> list[Label]:
    """Return each camera's name, a little above it."""
    rise = np.array([0, 0, 0.9 * frustum_depth(rig)])
    return [Label(camera.name, camera.centre + rise, FRUSTUM) for camera in rig]


def world_axes(length_m: float = 0.5) -> Lines:
    """Return the world's x (red), y (green) and z (blue) axes at the origin."""
    ends = np.stack([np.zeros((3, 3)), length_m * np.eye(3)], axis=1)
    return Lines(ends, np.array(AXES), np.full(3, 0.012))


def surroundings(motion: Motion3D, rig: Rig | None = None) -> Lines:
    """Return everything that stands still: grid, axes, and the frusta of a rig."""
    parts = [ground_grid(motion, rig), world_axes()]
    return join(*parts, camera_frusta(rig)) if rig is not None else join(*parts)
