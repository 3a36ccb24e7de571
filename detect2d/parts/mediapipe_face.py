"""Faces by MediaPipe's mesh network, and pupils by its iris network: one face in a square to 70 points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.crop_networks import CropNetwork
from triskel.detect2d.crops import Crops, cut
from triskel.detect2d.parts.face_points import LEFT_CORNERS, RIGHT_CORNERS, face_70
from triskel.detect2d.parts.reading import sizes_wh, with_scores
from triskel.errors import InputError
from triskel.skeleton import FACE_70, Skeleton

PIXEL_OFFSET = -0.5
"""The networks count from the edge of the first pixel, we from its centre."""

EYE_MARGIN = 2.3
"""Side of the iris network's square, in widths of the eye: what it was trained with."""

SMALLEST_EYE_PX = 6.0
"""In narrower eyes there is no pupil to see; the middle of the lids is as good."""


@dataclass(frozen=True, kw_only=True)
class FaceOptions:
    """How faces are looked for, and which are rejected.

    Attributes:
        margin: side of the second square, in larger extents of the mesh.
        least_presence: a square with a smaller probability of a face is rejected.
    """

    margin: float = 1.5
    least_presence: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.least_presence <= 1:
            raise InputError(f"least_presence is 0 to 1, got {self.least_presence}")
        if self.margin <= 0:
            raise InputError(f"margin is above 0, got {self.margin}")


class FaceDetector:
    """Looks twice: at the square that the body suggests, then at the one that the face itself asks for."""

    def __init__(
        self, network: CropNetwork, iris: CropNetwork | None = None, options: FaceOptions | None = None
    ) -> None:
        self.network, self.iris, self.options = network, iris, options or FaceOptions()

    @property
    def skeleton(self) -> Skeleton:
        """Return the points it finds."""
        return FACE_70

    def __call__(self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops) -> NDArray[np.float64]:
        """Find the face in each square, see `PartDetector`."""
        mesh, _ = self._look(images_rgb, crops)
        second = own_crops(crops, mesh, margin=self.options.margin)
        # A mesh that shrinks to nothing or outgrows the box is no face, and would lead the second look astray.
        ratio = second.side / crops.side
        sane = np.flatnonzero((ratio > 0.1) & (ratio < 3))
        presence = np.zeros(len(crops))
        mesh[sane], presence[sane] = self._look(images_rgb, second.take(sane))
        keep = presence >= self.options.least_presence
        xy = face_70(mesh)
        if self.iris is not None:
            found = np.flatnonzero(keep)
            xy[found, 68:] = self._pupils(images_rgb, second.take(found), mesh[found], xy[found, 68:])
        return with_scores(xy, presence, side=second.side, size_wh=sizes_wh(images_rgb, crops.image), keep=keep)

    def _look(
        self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mesh (B, 468, 3), image px and depth in them, and the probability (B,) of a face."""
        size = self.network.size
        answers = self.network(cut(images_rgb, crops, size))
        points = answers["landmarks"].reshape(-1, 468, 3).astype(np.float64)
        xy = crops.to_image(points[..., :2] + PIXEL_OFFSET, size)
        depth = points[..., 2:] * (crops.side / size)[:, None, None]
        return np.concatenate([xy, depth], axis=-1), answers["presence"].reshape(-1).astype(np.float64)

    def _pupils(
        self,
        images_rgb: Sequence[NDArray[np.uint8]],
        crops: Crops,
        mesh: NDArray[np.float64],
        lids: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the pupils (B, 2, 2), right and left; the middle of the lids, `lids`, where nothing better is seen."""
        assert self.iris is not None
        pupils, size = lids.copy(), self.iris.size
        # The network knows left eyes, so right ones are mirrored.
        for k, corners in enumerate((RIGHT_CORNERS, LEFT_CORNERS)):
            a, b = mesh[:, corners[0], :2], mesh[:, corners[1], :2]
            across = b - a
            width = np.linalg.norm(across, axis=-1)
            some = np.flatnonzero(width >= SMALLEST_EYE_PX)
            turn = np.arctan2(across[:, 1], across[:, 0])
            eyes = Crops.upright(
                crops.image[some], ((a + b) / 2)[some], EYE_MARGIN * width[some], angle_rad=turn[some], mirrored=k == 0
            )
            iris = self.iris(cut(images_rgb, eyes, size))["iris"].reshape(-1, 5, 3)[..., :2].astype(np.float64)
            seen = eyes.to_image(iris[:, :1] + PIXEL_OFFSET, size)[:, 0]
            near = np.linalg.norm(seen - lids[some, k], axis=-1) <= 0.5 * width[some]
            pupils[some[near], k] = seen[near]
        return pupils


def own_crops(crops: Crops, mesh: NDArray[np.float64], *, margin: float) -> Crops:
    """Return the square that a face asks for: the line of the eyes level, `margin` times the mesh's larger extent."""
    left, right = mesh[:, LEFT_CORNERS, :2].mean(axis=1), mesh[:, RIGHT_CORNERS, :2].mean(axis=1)
    across = left - right
    angle = np.arctan2(across[:, 1], across[:, 0])
    c, s = np.cos(angle), np.sin(angle)
    image_from_face = np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=1)
    turned = mesh[..., :2] @ image_from_face
    low, high = turned.min(axis=1), turned.max(axis=1)
    centre = np.einsum("bij,bj->bi", image_from_face, (low + high) / 2)
    side = margin * (high - low).max(axis=-1)
    return Crops.upright(crops.image, centre, side, angle_rad=angle, mirrored=crops.mirrored)
