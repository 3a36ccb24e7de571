"""Pictures of boards with known truth: each pixel averages what 4 x 4 rays through it see of the print."""

from functools import lru_cache

import cv2
import numpy as np
from scipy.interpolate import RectBivariateSpline
from scipy.spatial.transform import Rotation

from triskel.camera import Camera
from triskel.projection import project

PAPER, INK, WALL = 225.0, 30.0, 120.0


def camera(size_wh=(1280, 720), *, focal=1000.0, dist=(), model="pinhole"):
    w, h = size_wh
    K = np.array([[focal, 0, (w - 1) / 2 + 3.2], [0, focal, (h - 1) / 2 - 2.7], [0, 0, 1]])
    return Camera(name="cam", size_wh=size_wh, K=K, dist=np.array(dist, float), model=model)


def pose(distance, *, tilt=0.0, about=0.0, turn=0.0, shift=(0.0, 0.0)):
    """Return R, t that put a board's middle before the camera: tilt in degrees, about an axis at `about` degrees."""
    axis = np.array([np.cos(np.deg2rad(about)), np.sin(np.deg2rad(about)), 0])
    R = Rotation.from_rotvec(axis * np.deg2rad(tilt)) * Rotation.from_euler("z", turn, degrees=True)
    return R.as_matrix(), np.array([shift[0], shift[1], distance])


def middle(board):
    left, top, right, bottom = board.outline_m
    return np.array([(left + right) / 2, (top + bottom) / 2, 0.0])


def truth(board, cam, where):
    """Return where the corners (K, 2) are, px."""
    R, t = where
    return project(cam, (board.corners - middle(board)) @ R.T + t)


@lru_cache(maxsize=8)
def printed(board, *, px_per_m=None, margin=1.0):
    """Return the print as a bitmap, its px per m and the board point at its top left; margin in steps of the board."""
    left, top, right, bottom = board.outline_m
    step = getattr(board, "square_m", None) or board.tag_m
    m = margin * step
    px_per_m = px_per_m or exact_scale((board.ink() - (left, top) * 2).ravel(), max(right - left, bottom - top))
    m = round(m * px_per_m) / px_per_m
    shape = round((bottom - top + 2 * m) * px_per_m), round((right - left + 2 * m) * px_per_m)
    picture = np.zeros(shape, bool)
    for x0, y0, x1, y1 in np.round((board.ink() - (left - m, top - m) * 2) * px_per_m).astype(int):
        picture[y0:y1, x0:x1] = True
    if board.inverted:
        picture = ~picture
    return np.where(picture, INK, PAPER).astype(np.float32), px_per_m, np.array([left - m, top - m])


def exact_scale(lengths, extent):
    """Return px per m, about 4800 px for the board, at which the pattern's edges lie between pixels."""
    scales = np.arange(3500, 6500) / extent
    scales = np.r_[scales, np.arange(100, 200) * 100.0, np.arange(10, 40) * 1000 / 3] if extent < 1 else scales
    scales = scales[(scales * extent > 3000) & (scales * extent < 6600)]
    unique = np.unique(np.round(lengths, 9))
    off = np.array([np.abs(unique * s - np.round(unique * s)).max() for s in scales])
    return float(scales[off.argmin()])


def rays(cam, ss):
    """Return the viewing rays (ss H, ss W, 2), x / z and y / z, of the sub-pixels: a spline through every eighth px."""
    w, h = cam.size_wh
    u, v = np.arange(-8, w + 16, 8.0), np.arange(-8, h + 16, 8.0)
    xy = np.stack(np.meshgrid(u, v), -1).reshape(-1, 1, 2)
    if cam.model == "fisheye":
        out = cv2.fisheye.undistortPoints(xy, cam.K, cam.dist)
    else:
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-9)
        out = cv2.undistortPointsIter(xy, cam.K, cam.dist, np.eye(3), np.eye(3), criteria)
    out = out.reshape(len(v), len(u), 2)
    sub = (np.arange(ss) + 0.5) / ss - 0.5
    fine_u, fine_v = (np.arange(w)[:, None] + sub).ravel(), (np.arange(h)[:, None] + sub).ravel()
    return np.stack([RectBivariateSpline(v, u, out[..., i])(fine_v, fine_u) for i in range(2)], -1)


def seen_flat(bitmap, px_per_m, corner, board, cam, where, ss):
    """Return the picture (ss H, ss W) of the bitmap by a camera without distortion: a homography does it."""
    R, t = where
    m = middle(board)[:2]
    board_from_bitmap = np.array([[1 / px_per_m, 0, corner[0] - m[0]], [0, 1 / px_per_m, corner[1] - m[1]], [0, 0, 1]])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # bitmap pixel centres are half a pixel from its edge
    fine = np.array([[ss, 0, (ss - 1) / 2], [0, ss, (ss - 1) / 2], [0, 0, 1.0]])
    H = fine @ cam.K @ np.c_[R[:, :2], t] @ board_from_bitmap @ half
    size = cam.size_wh[0] * ss, cam.size_wh[1] * ss
    return cv2.warpPerspective(bitmap, H, size, flags=cv2.INTER_NEAREST, borderValue=WALL)


def seen_bent(bitmap, px_per_m, corner, board, cam, where, ss):
    """Return the picture (ss H, ss W) of the bitmap by a camera with distortion, ray by ray."""
    R, t = where
    r = rays(cam, ss)
    # Ray s (x, y, 1) meets the board where its coordinate along the board's z is that of t.
    s = (t @ R[:, 2]) / (r @ R[:2, 2] + R[2, 2])
    X = np.stack([r[..., 0] * s, r[..., 1] * s, s], -1) - t
    at = ((X @ R[:, :2] + middle(board)[:2] - corner) * px_per_m - 0.5).astype(np.float32)
    at[s <= 0] = -1e6
    return cv2.remap(bitmap, at[..., 0], at[..., 1], cv2.INTER_NEAREST, borderValue=WALL)


def picture(board, cam, where, *, blur_px=0.6, noise=2.0, seed=0, glare=None, ss=4, mirrored=False):
    """Return the picture (H, W, 3) uint8 of a board before a grey wall.

    Args:
        where: R, t of `pose`.
        blur_px: sigma of the lens.
        noise: sigma, grey levels.
        glare: (x, y, radius) px of a light that washes out what is there, or None.
        mirrored: what a mirror, or a camera that mirrors, shows.
    """
    seen = seen_bent if len(cam.dist) else seen_flat
    big = seen(*printed(board), board, cam, where, ss)
    small = cv2.resize(big, cam.size_wh, interpolation=cv2.INTER_AREA)
    if glare is not None:
        x, y, radius = glare
        v, u = np.indices(small.shape)
        small = small + 400 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * radius**2))
    if blur_px:
        small = cv2.GaussianBlur(small, (0, 0), blur_px)
    small = small + np.random.default_rng(seed).normal(0, noise, small.shape)
    grey = np.clip(np.round(small), 0, 255).astype(np.uint8)
    return cv2.cvtColor(grey[:, ::-1].copy() if mirrored else grey, cv2.COLOR_GRAY2RGB)
