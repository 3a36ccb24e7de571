"""The 68 points of the usual face mark-up, and two pupils, out of the 468 vertices of MediaPipe's face mesh.

The mesh's vertex numbers for oval, brows, eyes, lips and nose are facts of the model. How each group is used is ours:

* Jaw (0-16): nine places at equal lengths, in 3D, along the oval from beside each ear to the chin. Lengths in 3D, so
  that the places stay on the skin when the head turns.
* Brows (17-26): the middle between the brow's upper and lower edge, outer to inner end on the right, then left.
* Bridge of the nose (27-30): equal lengths, in 3D, from between the eyes to the tip.
* Below the nose (31-35), lids (36-47), lips (48-67): the vertices nearest to the mark-up's places; lids at a third and
  two thirds of the eye's width, lips at the corners, the peaks of the bow, and half-way.
* Pupils (68 right, 69 left): the iris network's where it runs, else the middle of the lids.
"""

import numpy as np
from numpy.typing import NDArray

JAW_RIGHT = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152)
JAW_LEFT = (454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152)
BRIDGE = (168, 6, 197, 195, 5, 4)
BROW_UPPER = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
BROW_LOWER = (46, 53, 52, 65, 55, 285, 295, 282, 283, 276)
BELOW_NOSE = (98, 97, 2, 326, 327)
RIGHT_EYE = (33, 160, 158, 133, 153, 144)
LEFT_EYE = (362, 385, 387, 263, 373, 380)
OUTER_LIPS = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)
INNER_LIPS = (78, 81, 13, 311, 308, 402, 14, 178)

RIGHT_CORNERS = (33, 133)
LEFT_CORNERS = (362, 263)
"""Corners of the eyes in the order in which they lie in the image of an upright face: from left to right."""


def face_70(mesh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points (B, 70, 2), px like the mesh, the pupils in the middle of the lids.

    Args:
        mesh: (B, 468, 3) x, y and depth in the same unit.
    """
    right, left = along(mesh[:, JAW_RIGHT], 9), along(mesh[:, JAW_LEFT], 9)
    parts = [
        right,
        left[:, -2::-1],
        (mesh[:, BROW_UPPER] + mesh[:, BROW_LOWER]) / 2,
        along(mesh[:, BRIDGE], 4),
        mesh[:, BELOW_NOSE + RIGHT_EYE + LEFT_EYE + OUTER_LIPS + INNER_LIPS],
        mesh[:, RIGHT_EYE].mean(axis=1, keepdims=True),
        mesh[:, LEFT_EYE].mean(axis=1, keepdims=True),
    ]
    return np.concatenate(parts, axis=1)[..., :2]


def along(line: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return `count` places (B, count, D) at equal lengths along lines (B, K, D), ends included."""
    steps = np.linalg.norm(np.diff(line, axis=1), axis=-1)
    reached = np.concatenate([np.zeros((len(line), 1)), np.cumsum(steps, axis=1)], axis=1)
    wanted = np.linspace(0, 1, count) * reached[:, -1:]
    segment = (reached[:, None, 1:-1] < wanted[..., None]).sum(axis=-1)
    rows = np.arange(len(line))[:, None]
    start, length = reached[rows, segment], steps[rows, segment]
    share = (wanted - start) / np.where(length > 0, length, 1)
    return np.asarray(line[rows, segment] * (1 - share[..., None]) + line[rows, segment + 1] * share[..., None])
