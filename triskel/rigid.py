"""Rigid transforms between named frames."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

ORTHONORMAL_TOLERANCE = 1e-4
"""Largest |R R^T - 1| that is taken for rounding in a file and repaired; anything above is an error."""


@dataclass(frozen=True, eq=False)
class Rigid:
    """A rotation and a translation, `x_target = R @ x_source + t`.

    Name instances `target_from_source`, so that inner names cancel: `a_from_c = a_from_b @ b_from_c`.

    Attributes:
        R: (3, 3) rotation, determinant +1.
        t: (3,) translation in metres. It is NOT the origin of the target frame seen from the source: see `centre`.
    """

    R: NDArray[np.float64]
    t: NDArray[np.float64]

    def __post_init__(self) -> None:
        R = np.array(self.R, dtype=np.float64)
        t = np.array(self.t, dtype=np.float64).reshape(-1)
        if R.shape != (3, 3) or t.shape != (3,):
            raise ValueError(f"a rigid transform needs R (3, 3) and t (3,), got {R.shape} and {t.shape}")
        if not (np.isfinite(R).all() and np.isfinite(t).all()):
            raise ValueError("a rigid transform needs finite numbers, got NaN or infinity")
        deviation = float(np.abs(R @ R.T - np.eye(3)).max())
        if deviation > ORTHONORMAL_TOLERANCE or np.linalg.det(R) < 0:
            raise ValueError(
                f"R is not a rotation: |R R^T - 1| is {deviation:.2g} (at most {ORTHONORMAL_TOLERANCE:g}), "
                f"det {np.linalg.det(R):.3f} (must be +1)"
            )
        if deviation > 0:
            U, _, Vt = np.linalg.svd(R)
            R = U @ Vt
        R.flags.writeable = t.flags.writeable = False
        object.__setattr__(self, "R", R)
        object.__setattr__(self, "t", t)

    @classmethod
    def identity(cls) -> Self:
        """Return the transform that changes nothing."""
        return cls(np.eye(3), np.zeros(3))

    @classmethod
    def from_rotvec(cls, rotvec: ArrayLike, t: ArrayLike) -> Self:
        """Build from a rotation vector (3,) in radians (OpenCV's rvec) and a translation (3,) in metres."""
        return cls(Rotation.from_rotvec(np.asarray(rotvec, dtype=np.float64).reshape(3)).as_matrix(), np.asarray(t))

    @property
    def rotvec(self) -> NDArray[np.float64]:
        """Return the rotation vector (3,), radians: OpenCV's rvec."""
        return np.asarray(Rotation.from_matrix(self.R).as_rotvec(), dtype=np.float64)

    @property
    def centre(self) -> NDArray[np.float64]:
        """Return the target frame's origin in source coordinates (3,), metres: a camera's centre in the world."""
        return -self.R.T @ self.t

    @property
    def inverse(self) -> Self:
        """Return `source_from_target`."""
        return type(self)(self.R.T, self.centre)

    def __matmul__(self, other: "Rigid") -> "Rigid":
        """Chain transforms: `a_from_b @ b_from_c` is `a_from_c`."""
        return Rigid(self.R @ other.R, self.R @ other.t + self.t)

    def apply(self, X: ArrayLike) -> NDArray[np.float64]:
        """Map points (..., 3) from the source to the target frame; NaN stays NaN."""
        return np.asarray(X, dtype=np.float64) @ self.R.T + self.t
