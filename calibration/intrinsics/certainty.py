"""How well the corners determine a lens: standard errors of its numbers, and of the pixels they predict."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel import lens
from triskel.calibration.intrinsics import kernel
from triskel.calibration.intrinsics.belief import ordinary_lens
from triskel.calibration.intrinsics.models import LensSpec
from triskel.calibration.intrinsics.solve import Corners, Fit, error_px, huber_limit_px, information

_Array = NDArray[np.float64]

_TURN_GRID = (7, 9)
_LEAST_NOISE_PX = 0.05
"""No detector of corners is better; without it, views computed without noise would be trusted whatever they show."""


class LensCertainty(NamedTuple):
    """Standard errors of a lens: of one with 5 coefficients at least, so that they tell what a simple model hides.

    Attributes:
        sigma: (4,) of fx fy cx cy, px.
        map_px: (rows, columns) standard error of where the lens sees a point, px, over a grid from image border to
            image border, after the camera was turned to make it small. NaN where no viewing ray reaches the pixel.
        corner_px: (4,) the same in the image's corners: top left, top right, bottom left, bottom right; for a fisheye
            as far out towards them as half the image's longer side.
        noise_px: estimated noise of a board corner's coordinate, px.
        covariance: (4 + n, 4 + n) of fx fy cx cy and the first n coefficients.
    """

    sigma: _Array
    map_px: _Array
    corner_px: _Array
    noise_px: float
    covariance: _Array


def certainty_of(
    fit: Fit,
    corners: Corners,
    spec: LensSpec,
    *,
    use: NDArray[np.bool_],
    noise_px: float,
    size_wh: tuple[int, int],
    grid: tuple[int, int],
    groups: NDArray[np.int64],
) -> LensCertainty:
    """Return the standard errors of a fit; `grid` is (rows, columns) of the map, `noise_px` a first guess.

    The noise is taken for independent from corner to corner, and its size from what the fit leaves over. Where views
    pull at the lens more than such noise lets them (a board that is not flat, a blurred frame), all standard errors
    grow with it; `groups` (V,) are views that show one pose, which share such errors.
    """
    huber_px = huber_limit_px(noise_px)
    n_views = len(np.unique(corners.view[use]))
    freedom = 2 * int(use.sum()) - kernel.POSE * n_views - spec.free.shape[1]
    squares = np.minimum(error_px(fit, corners)[use], 2 * huber_px) ** 2
    noise = float(np.sqrt(squares.sum() / max(freedom, 1)))
    variance = max(noise, _LEAST_NOISE_PX) ** 2

    _, pulls = information(fit, corners, spec.n_dist, use=use, huber_px=huber_px)
    n_dist = spec.n_dist if spec.model == "fisheye" else max(5, spec.n_dist)
    info, _ = information(fit, corners, n_dist, use=use, huber_px=huber_px)
    n = 4 + spec.n_dist
    variance *= _inflation(info[:n, :n] * variance, pulls, groups)
    cov = _inverse(info / variance + ordinary_lens(fit.packed, n_dist, size_wh=size_wh))
    at_corners = _corners(fit.packed, spec, size_wh)
    return LensCertainty(
        sigma=np.sqrt(np.diagonal(cov)[:4]),
        map_px=_pixel_errors(fit.packed, cov, _grid(size_wh, grid), size_wh=size_wh).reshape(grid),
        corner_px=_pixel_errors(fit.packed, cov, at_corners, size_wh=size_wh),
        noise_px=noise,
        covariance=cov,
    )


def _inflation(expected: _Array, pulls: _Array, groups: NDArray[np.int64]) -> float:
    """Return how much larger the variance of the groups' pulls is than `expected` (P, P) of all together; at least 1.

    One number for all unknowns, since few views cannot tell a matrix of them (White 1980, in groups, averaged).
    """
    together = np.array([pulls[groups == group].sum(axis=0) for group in range(int(groups.max()) + 1)])
    together = together[np.any(together != 0, axis=1)]
    if len(together) < 2:
        return 1.0
    spread = together - together.mean(axis=0)
    covariance = len(together) / (len(together) - 1) * spread.T @ spread
    return max(1.0, float(np.trace(_inverse(expected) @ covariance)) / len(expected))


def _inverse(information_: _Array) -> _Array:
    """Return the covariance of scaled unknowns; what nothing was said about becomes very, not infinitely, uncertain."""
    scale = 1 / np.sqrt(np.maximum(np.diagonal(information_), 1e-300))
    values, vectors = np.linalg.eigh(information_ * np.outer(scale, scale))
    inverse = (vectors / np.maximum(values, 1e-15)) @ vectors.T
    return np.asarray(inverse * np.outer(scale, scale))


def _grid(size_wh: tuple[int, int], grid: tuple[int, int]) -> _Array:
    """Return (rows * columns, 2) px from border to border."""
    x, y = np.linspace(-0.5, size_wh[0] - 0.5, grid[1]), np.linspace(-0.5, size_wh[1] - 0.5, grid[0])
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _corners(packed: _Array, spec: LensSpec, size_wh: tuple[int, int]) -> _Array:
    """Return the image's corners (4, 2); of a fisheye, whose picture is round, no further out than its width."""
    corners = _grid(size_wh, (2, 2))
    if spec.model != "fisheye":
        return corners
    centre = packed[[lens.CX, lens.CY]]
    away = corners - centre
    return np.asarray(centre + away * (max(size_wh) / 2 / np.linalg.norm(away, axis=1, keepdims=True)).clip(max=1.0))


def _pixel_errors(packed: _Array, cov: _Array, xy: _Array, *, size_wh: tuple[int, int]) -> _Array:
    """Return the RMS over x and y, px, of the standard error of the pixels (n, 2) on which fixed viewing rays fall.

    A principal point that is off looks almost like a turned camera, and whoever uses the lens turns the camera to fit.
    So the rotation that makes each error smallest over the image is taken out first.
    """
    J, turn, seen = _derivatives(packed, len(cov) - 4, xy)
    J_all, turn_all, _ = _derivatives(packed, len(cov) - 4, _grid(size_wh, _TURN_GRID))
    J -= turn @ np.linalg.lstsq(turn_all, J_all, rcond=None)[0]
    variance = np.einsum("ni,ij,nj->n", J, cov, J).reshape(-1, 2).mean(axis=1)
    out = np.full(len(xy), np.nan)
    out[seen] = np.sqrt(np.maximum(variance, 0.0))
    return out


def _derivatives(packed: _Array, n_dist: int, xy: _Array) -> tuple[_Array, _Array, NDArray[np.int64]]:
    """Return the derivatives by the lens (2 m, 4 + n_dist) and a rotation (2 m, 3) at the m pixels that rays reach."""
    rays = lens.rays_many(packed, np.ascontiguousarray(xy))
    seen = np.flatnonzero(np.isfinite(rays[:, 0]))
    J, turn = np.zeros((2 * len(seen), 4 + n_dist)), np.zeros((2 * len(seen), 3))
    for i, ray in enumerate(rays[seen]):
        lens.lens_derivatives(packed, n_dist, *ray, J[2 * i : 2 * i + 2])
        d = np.array(lens.project_with_jacobian(packed, *ray)[2:]).reshape(2, 3)
        turn[2 * i : 2 * i + 2] = np.cross(ray, d)
    return J, turn, seen
