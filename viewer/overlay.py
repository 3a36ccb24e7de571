"""Skeletons drawn into the camera's own pictures: the 3D result reprojected, and what the detector saw."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Skeleton
from triskel.viewer.video import write_video

SHIFT = 4
"""OpenCV draws with this many binary places, so that limbs do not jump from pixel to pixel."""

FAR_PX = 20000.0
"""Ends further out than this are not drawn: OpenCV's fixed-point coordinates would overflow."""

DARK, LIGHT = (16, 18, 22), (245, 245, 245)


def draw_people(
    image_rgb: NDArray[np.uint8], keypoints: NDArray[np.float64], skeleton: Skeleton, *, thickness: int | None = None
) -> None:
    """Draw limbs and joints in the skeleton's colours with a dark edge, anti-aliased, in place.

    Args:
        image_rgb: (H, W, 3) uint8, contiguous.
        keypoints: (N, J, 2 or 3) px; NaN = missing, not drawn. A score in the third column is not looked at.
        skeleton: names the J joints.
        thickness: of the limbs, px; None takes one that suits the image.
    """
    thickness = thickness or max(2, round(max(image_rgb.shape[:2]) / 200))
    for person in keypoints:
        points, drawable = _fixed_point(person[:, :2])
        limbs = [(a, b) for a, b in skeleton.limbs if drawable[a] and drawable[b]]
        for a, b in limbs:
            cv2.line(image_rgb, points[a], points[b], DARK, thickness + 2, cv2.LINE_AA, SHIFT)
        for a, b in limbs:
            cv2.line(image_rgb, points[a], points[b], skeleton.colours[b], thickness, cv2.LINE_AA, SHIFT)
        radius = int(0.75 * thickness * 2**SHIFT)
        for j in np.flatnonzero(drawable):
            cv2.circle(image_rgb, points[j], radius, skeleton.colours[j], -1, cv2.LINE_AA, SHIFT)


def draw_detections(
    image_rgb: NDArray[np.uint8],
    keypoints: NDArray[np.float64],
    skeleton: Skeleton,
    *,
    size_px: int = 3,
    limbs: bool = True,
) -> None:
    """Draw detected joints as small light crosses joined by thin lines, in place.

    Args:
        image_rgb: (H, W, 3) uint8, contiguous.
        keypoints: (N, J, 2 or 3) px; NaN = missing, not drawn.
        skeleton: names the J joints.
        size_px: half the width of a cross.
        limbs: whether to draw the lines too.
    """
    arm = size_px * 2**SHIFT
    for person in keypoints:
        points, drawable = _fixed_point(person[:, :2])
        for a, b in skeleton.limbs if limbs else ():
            if drawable[a] and drawable[b]:
                cv2.line(image_rgb, points[a], points[b], LIGHT, 1, cv2.LINE_AA, SHIFT)
        for j in np.flatnonzero(drawable):
            x, y = points[j]
            cv2.line(image_rgb, (x - arm, y - arm), (x + arm, y + arm), LIGHT, 1, cv2.LINE_AA, SHIFT)
            cv2.line(image_rgb, (x - arm, y + arm), (x + arm, y - arm), LIGHT, 1, cv2.LINE_AA, SHIFT)


def _fixed_point(xy: NDArray[np.float64]) -> tuple[list[tuple[int, int]], NDArray[np.bool_]]:
    """Return points (J, 2) px in OpenCV's fixed point, and which of them can be drawn."""
    drawable = np.asarray((np.abs(np.nan_to_num(xy, nan=np.inf)) < FAR_PX).all(axis=-1))
    fixed = np.round(np.where(drawable[:, None], xy, 0) * 2**SHIFT).astype(int).tolist()
    return [(x, y) for x, y in fixed], drawable


def draw_legend(image_rgb: NDArray[np.uint8], text: str, *, detections: bool) -> None:
    """Write what the drawing shows into the upper left corner, in place; feet fill the lower edge more often."""
    rows = ["3D result, reprojected", *(["2D detection"] if detections else []), *([text] if text else [])]
    top, step = 14, 20
    box = image_rgb[6 : 18 + step * len(rows), 6:216]
    box[:] = (box * 0.35).astype(np.uint8)
    for i, row in enumerate(rows):
        y = top + step * i + 7
        if i == 0:
            for k, colour in enumerate(((255, 80, 60), (90, 220, 90), (60, 150, 255))):
                cv2.line(image_rgb, (14 + 8 * k, y), (20 + 8 * k, y), colour, 4, cv2.LINE_AA)
        elif detections and i == 1:
            cv2.line(image_rgb, (14, y), (38, y), LIGHT, 1, cv2.LINE_AA)
            cv2.drawMarker(image_rgb, (26, y), LIGHT, cv2.MARKER_TILTED_CROSS, 8, 1, cv2.LINE_AA)
        cv2.putText(image_rgb, row, (46, y + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.42, LIGHT, 1, cv2.LINE_AA)


def overlay_image(
    image_rgb: NDArray[np.uint8],
    reprojected: NDArray[np.float64],
    detected: NDArray[np.float64] | None,
    skeleton: Skeleton,
    *,
    max_width_px: int = 720,
    text: str = "",
) -> NDArray[np.uint8]:
    """Return a copy of one picture, shrunk to at most `max_width_px`, with the 3D result and the detections in it.

    Args:
        image_rgb: (H, W, 3) uint8.
        reprojected: (N, J, 2) px in the full picture, NaN = missing.
        detected: (N, J, 3) px and score in the full picture, or None.
        skeleton: names the J joints.
        max_width_px: of the result.
        text: an extra line of the legend, e.g. the camera's name.
    """
    H, W = image_rgb.shape[:2]
    scale = min(1.0, max_width_px / W)
    # H.264 wants even sizes.
    size_wh = (max(2, round(W * scale) // 2 * 2), max(2, round(H * scale) // 2 * 2))
    small = cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA) if size_wh != (W, H) else image_rgb.copy()
    scales = np.array([size_wh[0] / W, size_wh[1] / H])
    seen = None if detected is None else (detected[..., :2] + 0.5) * scales - 0.5
    # The thin lines go below the bold limbs, where they show only if the two differ; the crosses stay on top.
    if seen is not None:
        draw_detections(small, seen, skeleton)
    draw_people(small, (reprojected[..., :2] + 0.5) * scales - 0.5, skeleton)
    if seen is not None:
        draw_detections(small, seen, skeleton, limbs=False)
    draw_legend(small, text, detections=detected is not None)
    return np.asarray(small)


def overlay_video(
    frames: Iterable[NDArray[np.uint8]],
    reprojected: NDArray[np.float64],
    detected: NDArray[np.float64] | None,
    path: str | Path,
    *,
    fps: float,
    skeleton: Skeleton,
    max_width_px: int = 720,
    text: str = "",
) -> int:
    """Write a camera's video with the 3D result and the detections drawn in.

    Args:
        frames: (H, W, 3) uint8 RGB each; the video ends with the shorter of these and `reprojected`.
        reprojected: (F, N, J, 2) px in the full picture, NaN = missing.
        detected: (F, N, J, 3) px and score, or None.
        path: the `.mp4` file.
        fps: pictures a second.
        skeleton: names the J joints.
        max_width_px: of the video.
        text: an extra line of the legend, e.g. the camera's name.

    Returns:
        The number of frames written.

    Raises:
        InputError: there are no frames.
        JobError: the encoder failed.
    """

    def drawn() -> Iterator[NDArray[np.uint8]]:
        # `range` first: zip must not take a frame off the iterator that it then drops.
        for f, image_rgb in zip(range(len(reprojected)), frames, strict=False):
            seen = None if detected is None else detected[f]
            yield overlay_image(image_rgb, reprojected[f], seen, skeleton, max_width_px=max_width_px, text=text)

    return write_video(path, drawn(), fps=fps, crf=23)
