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
        name: such as `pinhole5`; `pinhole1 square centred` for a variant with fewer unknowns.
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
    def square(self) -> bool:
        """Say whether fx = fy is imposed."""
        return bool(self.free[0, 0] and self.free[1, 0])

    @property
    def centred(self) -> bool:
        """Say whether the principal point stays in the middle of the image."""
        return not self.free[2:4].any()


def _spec(name: str, n_dist: int, n_stored: int, *, square: bool = False, centred: bool = False) -> LensSpec:
    free = np.eye(4 + n_dist)
    if square:
        free[1, 0] = 1.0
        free = np.delete(free, 1, axis=1)
    if centred:
        free = free[:, ~free[2:4].any(axis=0)]
    name += (" square" if square else "") + (" centred" if centred else "")
    model: LensModel = "fisheye" if name.startswith("fisheye") else "pinhole"
    return LensSpec(name=name, model=model, n_dist=n_dist, n_stored=n_stored, free=free)


_KINDS = (("pinhole0", 0, 0), ("pinhole1", 1, 4), ("pinhole4", 4, 4), ("pinhole5", 5, 5), ("fisheye", 4, 4))
FULL = (*(_spec(*kind) for kind in _KINDS), _spec("pinhole8", 8, 8))
"""Every model with all its numbers free."""
REDUCED = tuple(
    _spec(*kind, square=True, centred=centred) for kind in _KINDS for centred in (True, False) if kind[0] != "pinhole5"
)
"""The same with square pixels, and with the principal point in the middle: where the data are few."""


def candidates(choice: Choice, *, few: bool) -> tuple[LensSpec, ...]:
    """Return the models to compare for a choice, simplest first.

    Simple means few free numbers; a fisheye counts two more, since most lenses are none and both fit equally then.
    """
    specs = (*REDUCED, *FULL) if few else FULL
    if choice == "auto":
        chosen = specs
    elif choice == "pinhole":
        chosen = tuple(spec for spec in specs if spec.model == "pinhole")
    else:
        chosen = tuple(spec for spec in specs if spec.name.split()[0] == choice)
    return tuple(sorted(chosen, key=lambda spec: spec.free.shape[1] + 2 * (spec.model == "fisheye")))


def by_name(name: str) -> LensSpec:
    """Return the full model called `name`."""
    return next(spec for spec in FULL if spec.name == name)


def as_camera(packed: NDArray[np.float64], spec: LensSpec, *, name: str, size_wh: tuple[int, int]) -> Camera:
    """Return a packed lens as a camera at the origin."""
    K = np.array(
        [[packed[lens.FX], 0.0, packed[lens.CX]], [0.0, packed[lens.FY], packed[lens.CY]], [0.0, 0.0, 1.0]]
    )
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
