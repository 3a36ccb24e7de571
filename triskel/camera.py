"""One calibrated camera, and the ordered set of them that is a rig."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from triskel.errors import ConfigError
from triskel.rigid import Rigid

LensModel = Literal["pinhole", "fisheye"]
DIST_LENGTHS: dict[str, tuple[int, ...]] = {"pinhole": (0, 4, 5, 8, 12, 14), "fisheye": (4,)}
"""Numbers of distortion coefficients each model takes, in OpenCV's order; none means an ideal lens."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Camera:
    """A calibrated camera: intrinsics, lens and pose.

    Camera axes are x right, y down, z forward; pixel (0, 0) is the centre of the top-left pixel.

    Attributes:
        name: unique in its rig; also the name of its video.
        size_wh: image size (width, height), px.
        K: (3, 3) intrinsics, px.
        dist: distortion coefficients in OpenCV's order: 0, 4, 5, 8, 12 or 14 for `pinhole`, 4 for `fisheye`.
        model: lens model, `pinhole` or `fisheye` (equidistant, Kannala-Brandt).
        cam_from_world: pose, `x_cam = R x_world + t`, metres.
    """

    name: str
    size_wh: tuple[int, int]
    K: NDArray[np.float64]
    dist: NDArray[np.float64] = field(default_factory=lambda: np.zeros(5))
    model: LensModel = "pinhole"
    cam_from_world: Rigid = field(default_factory=Rigid.identity)

    def __post_init__(self) -> None:
        K = np.array(self.K, dtype=np.float64)
        dist = np.array(self.dist, dtype=np.float64).reshape(-1)
        where = f"camera {self.name!r}"
        if not self.name:
            raise ConfigError("a camera needs a name, got an empty one")
        if self.model not in get_args(LensModel):
            raise ConfigError(f"{where}: model is one of {get_args(LensModel)}, got {self.model!r}")
        if len(self.size_wh) != 2 or any(int(s) != s or s < 1 for s in self.size_wh):
            raise ConfigError(f"{where}: size_wh is two positive whole numbers, got {self.size_wh}")
        if K.shape != (3, 3) or not np.isfinite(K).all() or not np.array_equal(K[2], (0, 0, 1)) or K[1, 0] != 0:
            raise ConfigError(f"{where}: K is an upper triangular 3 x 3 matrix ending in 0 0 1, got {K.tolist()}")
        if K[0, 0] <= 0 or K[1, 1] <= 0:
            raise ConfigError(f"{where}: focal lengths are positive, got {K[0, 0]} and {K[1, 1]}")
        if len(dist) not in DIST_LENGTHS[self.model] or not np.isfinite(dist).all():
            allowed = DIST_LENGTHS[self.model]
            raise ConfigError(f"{where}: a {self.model} lens takes {allowed} coefficients, got {dist.tolist()}")
        K.flags.writeable = dist.flags.writeable = False
        object.__setattr__(self, "size_wh", (int(self.size_wh[0]), int(self.size_wh[1])))
        object.__setattr__(self, "K", K)
        object.__setattr__(self, "dist", dist)

    @property
    def centre(self) -> NDArray[np.float64]:
        """Return the camera centre in the world (3,), metres."""
        return self.cam_from_world.centre

    @property
    def P(self) -> NDArray[np.float64]:
        """Return the projection matrix K [R | t] (3, 4); it knows nothing of distortion."""
        return self.K @ np.c_[self.cam_from_world.R, self.cam_from_world.t]

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401 - the fields' own types are checked in __post_init__
        """Return a copy with the given fields changed."""
        return replace(self, **changes)

    def resized(self, size_wh: tuple[int, int]) -> Self:
        """Return the camera of the same image resampled to `size_wh` (width, height) px."""
        sx, sy = size_wh[0] / self.size_wh[0], size_wh[1] / self.size_wh[1]
        K = self.K.copy()
        K[0] *= sx
        K[1] *= sy
        # Pixel centres are whole numbers, so the principal point shifts by half a pixel: (c + 0.5) s - 0.5.
        K[0, 2] += 0.5 * sx - 0.5
        K[1, 2] += 0.5 * sy - 0.5
        return self.replace(size_wh=size_wh, K=K)

    def cropped(self, *, left: int, top: int, size_wh: tuple[int, int]) -> Self:
        """Return the camera of a window of the image whose top-left pixel was (`left`, `top`)."""
        K = self.K.copy()
        K[0, 2] -= left
        K[1, 2] -= top
        return self.replace(size_wh=size_wh, K=K)


@dataclass(frozen=True, eq=False)
class Rig:
    """An ordered set of cameras with unique names in one world frame (right-handed, z up, metres)."""

    cameras: tuple[Camera, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "cameras", tuple(self.cameras))
        if not self.cameras:
            raise ConfigError("a rig needs at least one camera, got none")
        names = [camera.name for camera in self.cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"camera names in a rig are unique, got twice: {', '.join(twice)}")

    @property
    def names(self) -> list[str]:
        """Return the cameras' names in order."""
        return [camera.name for camera in self.cameras]

    def __len__(self) -> int:
        return len(self.cameras)

    def __iter__(self) -> Iterator[Camera]:
        return iter(self.cameras)

    def __getitem__(self, name: str) -> Camera:
        """Return the camera called `name`.

        Raises:
            ConfigError: no camera has that name; the message lists those there are.
        """
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise ConfigError(f"the rig has no camera {name!r}; it has {', '.join(self.names)}")

    def select(self, names: list[str]) -> Self:
        """Return the rig of the named cameras, in the order given."""
        return type(self)(tuple(self[name] for name in names))
