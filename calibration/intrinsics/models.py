"""The lens models that are tried, simplest first, and when a fitted one cannot be real."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triskel import lens
from triskel.camera import Camera, LensModel

Choice = Literal["auto", "pinhole", "pinhole0", "pinhole1", "pinhole4", "pinhole5", "pinhole8", "fisheye"]
"""What a caller may ask for: `auto` and `pinhole` choose, the others are one model each."""

FOCAL_DIAGONALS = (0.05, 30.0)
"""Focal lengths in image diagonals between those of a fisheye and of a long telephoto lens."""
MAX_ASPECT_ERROR = 0.1
MAX_OFFSET_DIAGONALS = 0.3


@dataclass(frozen=True, eq=False, kw_only=True)
class LensSpec:
    """A lens model and which of its numbers are free.

    Attributes:
        name: such as `pinhole5`.
        model: the camera's lens model.
        n_dist: number of coefficients the solver moves.
        n_stored: number of coefficients the camera gets; those not moved are 0.
        free: (4 + n_dist, P) what moves fx fy cx cy and the coefficients, from P free numbers.
    """

    name: str
    model: LensModel
    n_dist: int
    n_stored: int
    free: NDArray[np.float64]

    @property
    def plain(self) -> bool:
        """Say whether it is one of the lenses that most cameras have and every program knows."""
        return self.model == "pinhole" and self.n_dist <= _PLAIN_DIST


def _spec(name: str, model: LensModel, n_dist: int, n_stored: int) -> LensSpec:
    return LensSpec(name=name, model=model, n_dist=n_dist, n_stored=n_stored, free=np.eye(4 + n_dist))


_PLAIN_DIST = 5
LENSES = (
    _spec("pinhole0", "pinhole", 0, 0),
    _spec("pinhole1", "pinhole", 1, 4),
    _spec("pinhole4", "pinhole", 4, 4),
    _spec("pinhole5", "pinhole", 5, 5),
    _spec("fisheye", "fisheye", 4, 4),
    _spec("pinhole8", "pinhole", 8, 8),
)
"""Every model, simplest first; a fisheye comes late since most lenses are none and both may fit."""


def one_focal(model: LensModel) -> LensSpec:
    """Return the model to start with: one focal length, one coefficient, centred in the image."""
    free = np.zeros((5, 2))
    free[:2, 0] = free[4, 1] = 1.0
    return LensSpec(name=f"{model} start", model=model, n_dist=1, n_stored=4, free=free)


def candidates(choice: Choice) -> tuple[LensSpec, ...]:
    """Return the models to compare for a choice, simplest first."""
    if choice == "auto":
        return LENSES
    return tuple(spec for spec in LENSES if spec.name == choice or spec.model == choice == "pinhole")


def by_name(name: str) -> LensSpec:
    """Return the model called `name`."""
    return next(spec for spec in LENSES if spec.name == name)


def as_camera(packed: NDArray[np.float64], spec: LensSpec, *, name: str, size_wh: tuple[int, int]) -> Camera:
    """Return a packed lens as a camera at the origin."""
    K = np.array([[packed[lens.FX], 0.0, packed[lens.CX]], [0.0, packed[lens.FY], packed[lens.CY]], [0.0, 0.0, 1.0]])
    dist = packed[lens.DIST : lens.DIST + spec.n_stored]
    return Camera(name=name, size_wh=size_wh, K=K, dist=dist, model=spec.model)


def reason_against(camera: Camera, *, radius_seen_px: float) -> str:
    """Return why a fitted lens cannot be real, or an empty string.

    A lens model must have a viewing ray for every pixel. Fisheye pictures are round and often black in the corners, so
    there only up to the nearer border, or as far from the middle as corners were seen.
    """
    diagonal = float(np.hypot(*camera.size_wh))
    fx, fy = camera.K[0, 0], camera.K[1, 1]
    if not FOCAL_DIAGONALS[0] <= fx / diagonal <= FOCAL_DIAGONALS[1]:
        return f"a focal length of {fx:.0f} px is absurd"
    if abs(fx / fy - 1) > MAX_ASPECT_ERROR:
        return f"fx {fx:.0f} and fy {fy:.0f} px differ too much"
    middle = (np.array(camera.size_wh) - 1) / 2
    if np.linalg.norm(camera.K[:2, 2] - middle) > MAX_OFFSET_DIAGONALS * diagonal:
        return "its principal point lies far from the middle of the image"
    w, h = camera.size_wh
    grid = np.stack(np.meshgrid(np.linspace(0, w - 1, 25), np.linspace(0, h - 1, 25)), axis=-1).reshape(-1, 2)
    if camera.model == "fisheye":
        grid = grid[np.linalg.norm(grid - camera.K[:2, 2], axis=1) <= max(radius_seen_px, min(w, h) / 2)]
    lost = np.isnan(lens.rays_many(lens.pack(camera), np.ascontiguousarray(grid))[:, 0])
    return f"it folds inside the image, {lost.mean():.0%} of which would have no viewing ray" if lost.any() else ""
