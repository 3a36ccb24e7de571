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


class LensCertainty(NamedTuple):
    """Standard errors of a lens.

    Attributes:
        sigma: (4,) of fx fy cx cy, px; NaN for those that the model does not free.
        map_px: (rows, columns) standard error of where the lens sees a point, px, over a grid from image border to
            image border, after the camera was turned to make it small; of a lens with 5 coefficients at least, so that
            it tells what a simple model hides. NaN where no viewing ray reaches the pixel.
        corner_px: (4,) the same at the image's corners: top left, top right, bottom left, bottom right.
        noise_px: estimated noise of a board corner's coordinate, px.
    """

    sigma: _Array
    map_px: _Array
    corner_px: _Array
    noise_px: float


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
    variance = max(noise, 1e-9) ** 2

    info, pulls = information(fit, corners, spec.n_dist, use=use, huber_px=huber_px)
    info, pulls = spec.free.T @ info @ spec.free, pulls @ spec.free
    variance *= _inflation(info * variance, pulls, groups)
    prior = ordinary_lens(fit.packed, spec.n_dist, size_wh=size_wh)
    cov = spec.free @ _inverse(info / variance + spec.free.T @ prior @ spec.free) @ spec.free.T
    sigma = np.sqrt(np.maximum(np.diagonal(cov)[:4], 0.0))
    sigma = np.where(spec.free[:4].any(axis=1), sigma, np.nan)

    n_dist = 4 if spec.model == "fisheye" else max(5, spec.n_dist)
    rich, _ = information(fit, corners, n_dist, use=use, huber_px=huber_px)
    rich = rich / variance + ordinary_lens(fit.packed, n_dist, size_wh=size_wh)
    errors = _pixel_errors(fit.packed, _inverse(rich), size_wh=size_wh, grid=grid)
    return LensCertainty(sigma, errors, errors[[0, 0, -1, -1], [0, -1, 0, -1]], noise)


def _inflation(expected: _Array, pulls: _Array, groups: NDArray[np.int64]) -> float:
    """Return how much larger the variance of the groups' pulls is than `expected` (P, P) of all together; at least 1.

    One number for all unknowns, since few views cannot tell a matrix of them (White 1980 in the cluster form, averaged).
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


def _pixel_errors(packed: _Array, cov: _Array, *, size_wh: tuple[int, int], grid: tuple[int, int]) -> _Array:
    """Return the RMS over x and y, px, of the standard error of the pixel on which a fixed viewing ray falls.

    A principal point that is off looks almost like a turned camera, and whoever uses the lens turns the camera to fit.
    So the rotation that makes each error smallest over the image is taken out first.
    """
    rows, columns = grid
    x, y = np.linspace(-0.5, size_wh[0] - 0.5, columns), np.linspace(-0.5, size_wh[1] - 0.5, rows)
    xy = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    rays = lens.rays_many(packed, xy)
    seen = np.flatnonzero(np.isfinite(rays[:, 0]))
    n_dist = len(cov) - 4
    J, turn = np.zeros((2 * len(seen), len(cov))), np.zeros((2 * len(seen), 3))
    for i, ray in enumerate(rays[seen]):
        kernel.lens_derivatives(packed, n_dist, *ray, J[2 * i : 2 * i + 2])
        d = np.array(lens.project_with_jacobian(packed, *ray)[2:]).reshape(2, 3)
        turn[2 * i : 2 * i + 2] = np.cross(ray, d)
    J -= turn @ np.linalg.lstsq(turn, J, rcond=None)[0]
    variance = np.einsum("ni,ij,nj->n", J, cov, J).reshape(-1, 2).mean(axis=1)
    out = np.full(len(xy), np.nan)
    out[seen] = np.sqrt(np.maximum(variance, 0.0))
    return out.reshape(rows, columns)
