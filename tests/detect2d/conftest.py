from pathlib import Path

import numpy as np
import pytest

from triskel.detect2d.layout import layout_of
from triskel.skeleton import COCO_18

COCO = Path(__file__).resolve().parents[3] / "shared/data/coco/images"
SIGMA = 1.2  # cells; the width of the Gaussians a network is trained on, 7 px at stride 8, is near that


@pytest.fixture(scope="session")
def coco_image():
    """Return a photograph with several people, RGB."""
    import cv2

    path = COCO / "000000000241.jpg"
    if not path.is_file():
        pytest.skip(f"needs the shared photographs, and {path} is missing")
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


@pytest.fixture(scope="session")
def gaussians():
    """Return the function that renders the maximum of Gaussians centred at cells (x, y) as one map."""

    def render(centres, *, size_wh=(46, 46), height=0.9, sigma=SIGMA):
        x, y = np.meshgrid(np.arange(size_wh[0]), np.arange(size_wh[1]))
        out = np.zeros(x.shape)
        for cx, cy in centres:
            out = np.maximum(out, height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)))
        return out.astype(np.float32)

    return render


@pytest.fixture(scope="session")
def standing_person():
    """Return the function that gives COCO-18 joints (18, 2), network input px, of somebody standing at (x, y)."""
    offsets = {
        "Nose": (0, -80), "Neck": (0, -56), "RShoulder": (-28, -54), "RElbow": (-38, -20), "RWrist": (-40, 12),
        "LShoulder": (28, -54), "LElbow": (38, -20), "LWrist": (42, 12), "RHip": (-18, 14), "RKnee": (-20, 62),
        "RAnkle": (-20, 108), "LHip": (18, 14), "LKnee": (20, 62), "LAnkle": (22, 108), "REye": (-9, -90),
        "LEye": (9, -90), "REar": (-19, -84), "LEar": (19, -84),
    }  # fmt: skip

    def build(x, y, *, scale=1.0, angle_rad=0.0):
        c, s = np.cos(angle_rad), np.sin(angle_rad)
        xy = np.array([offsets[joint] for joint in COCO_18.joints]) @ [[c, s], [-s, c]]
        return xy * scale + [x, y]

    return build


@pytest.fixture(scope="session")
def render_maps(gaussians):
    """Return the function that renders the ideal maps of people (N, 18, 2) in input px, NaN where hidden.

    Fields follow equations 8 and 9 of the paper: the limb's unit vector within a band around it, averaged over people.
    """
    layout = layout_of(COCO_18)

    def render(people, *, size_wh=(62, 46), band=1.0):
        cells = (np.asarray(people, float).reshape(-1, 18, 2) + 0.5) / layout.stride - 0.5
        confidence = np.stack(
            [gaussians(one[np.isfinite(one[:, 0])], size_wh=size_wh) for one in cells.transpose(1, 0, 2)]
        )
        x, y = np.meshgrid(np.arange(size_wh[0]), np.arange(size_wh[1]))
        grid = np.stack([x, y], axis=-1)
        affinity = np.zeros((2 * len(layout.limbs), *x.shape), np.float32)
        for k, (a, b) in enumerate(layout.limbs):
            total, count = np.zeros((*x.shape, 2)), np.zeros(x.shape)
            for one in cells:
                length = np.linalg.norm(one[b] - one[a])
                if not np.isfinite(length):
                    continue
                unit = (one[b] - one[a]) / length
                along = (grid - one[a]) @ unit
                across = (grid - one[a]) @ [-unit[1], unit[0]]
                inside = (along > -1) & (along < length + 1) & (np.abs(across) <= band)
                total[inside] += unit
                count += inside
            affinity[2 * k : 2 * k + 2] = np.moveaxis(total / np.maximum(count, 1)[..., None], -1, 0)
        return confidence, affinity

    return render
