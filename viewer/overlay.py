"""Skeletons drawn into the camera's own pictures: the 3D result reprojected, and what the detector saw."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Skeleton
from triskel.viewer.video import write_video
from triskel.whole_body import Part, part_names, parts_of

SHIFT = 4
"""OpenCV draws with this many binary places, so that limbs do not jump from pixel to pixel."""

FAR_PX = 20000.0
"""Ends further out than this are not drawn: OpenCV's fixed-point coordinates would overflow."""

DRAWN: tuple[Part, ...] = ("body", "face", "left_hand", "right_hand")
"""Later ones cover earlier ones: fine ones the coarse body, and hands, most often in front, the face."""

FACE_LINES_PX = 40
"""The lines of a smaller face would run together; its points alone are drawn."""

DARK, LIGHT = (16, 18, 22), (245, 245, 245)


class Strokes(NamedTuple):
    """How one part of one person is drawn, px.

    Attributes:
        line: thickness of limbs; 0 draws joints alone.
        dot: radius of joints.
        edge: whether limbs get a dark edge, which takes 2 px more.
    """

    line: int
    dot: float
    edge: bool


def strokes_of(
    keypoints: NDArray[np.float64], skeleton: Skeleton, image_wh: tuple[int, int], thickness: int | None = None
) -> dict[Part, Strokes]:
    """Return how thick the parts of a person are drawn: by the person's size, hands and face also by their own.

    Somebody 60 px tall stays a figure, somebody who fills a large picture is no hairline, and the fingers of a hand do
    not run together.

    Args:
        keypoints: (J, 2 or 3) px, NaN = missing.
        skeleton: names the J joints.
        image_wh: of the picture, px.
        thickness: of the limbs of the body, px, if it is given.
    """
    limb = thickness or min(_extent(keypoints) / 100, max(image_wh) / 150)
    strokes: dict[Part, Strokes] = {}
    for part, joints in parts_of(skeleton).items():
        if part == "body":
            line = max(1, round(limb))
            # Below 2 px a dot as thick as the limb cannot be told from it.
            strokes[part] = Strokes(line, 0.75 * max(line, 1.4), edge=line > 1)
        elif part == "face":
            size = _extent(keypoints[joints])
            fine = max(1.0, min(size / 100, limb / 3))
            strokes[part] = Strokes(round(fine) if size >= FACE_LINES_PX else 0, fine if fine > 1 else 0.5, edge=False)
        else:
            size = _extent(keypoints[joints]) / 25
            line = max(1, min(round(size), round(limb / 2)))
            strokes[part] = Strokes(line, max(0.6, min(0.7 * line, size)), edge=line > 1)
    return strokes


def _extent(keypoints: NDArray[np.float64]) -> float:
    """Return the longer side of the box around points, px; 0 without any that can be drawn."""
    xy = keypoints[(np.abs(np.nan_to_num(keypoints[:, :2], nan=np.inf)) < FAR_PX).all(axis=1), :2]
    return float(np.ptp(xy, axis=0).max()) if len(xy) else 0.0


def draw_people(
    image_rgb: NDArray[np.uint8], keypoints: NDArray[np.float64], skeleton: Skeleton, *, thickness: int | None = None
) -> None:
    """Draw limbs and joints in the skeleton's colours, anti-aliased, in place; hands and faces finer, hands on top.

    Args:
        image_rgb: (H, W, 3) uint8, contiguous.
        keypoints: (N, J, 2 or 3) px; NaN = missing, not drawn. A score in the third column is not looked at.
        skeleton: names the J joints.
        thickness: of the body's limbs, px; None takes one that suits each person's size.
    """
    image_wh = image_rgb.shape[1], image_rgb.shape[0]
    parts = part_names(skeleton)
    for person in keypoints:
        points, drawable = _fixed_point(person[:, :2])
        strokes = strokes_of(person, skeleton, image_wh, thickness)
        for part in DRAWN:
            if part not in strokes:
                continue
            line, dot, edge = strokes[part]
            # A limb belongs to the part of its second joint: from the wrist on it is the hand.
            limbs = [(a, b) for a, b in skeleton.limbs if parts[b] == part and drawable[a] and drawable[b] and line]
            for a, b in limbs if edge else ():
                cv2.line(image_rgb, points[a], points[b], DARK, line + 2, cv2.LINE_AA, SHIFT)
            for a, b in limbs:
                cv2.line(image_rgb, points[a], points[b], skeleton.colours[b], line, cv2.LINE_AA, SHIFT)
            for j in np.flatnonzero(drawable):
                if parts[j] == part:
                    radius = round(dot * 2**SHIFT)
                    cv2.circle(image_rgb, points[j], radius, skeleton.colours[j], -1, cv2.LINE_AA, SHIFT)


def draw_detections(
    image_rgb: NDArray[np.uint8],
    keypoints: NDArray[np.float64],
    skeleton: Skeleton,
    *,
    size_px: int = 3,
    limbs: bool = True,
) -> None:
    """Draw detected joints as small light crosses joined by thin lines, in place; of hands and faces as dots.

    Args:
        image_rgb: (H, W, 3) uint8, contiguous.
        keypoints: (N, J, 2 or 3) px; NaN = missing, not drawn.
        skeleton: names the J joints.
        size_px: half the width of a cross.
        limbs: whether to draw the lines too; those of a face are left out, they would fill it.
    """
    arm = size_px * 2**SHIFT
    parts = part_names(skeleton)
    for person in keypoints:
        points, drawable = _fixed_point(person[:, :2])
        for a, b in skeleton.limbs if limbs else ():
            if drawable[a] and drawable[b] and parts[b] != "face":
                cv2.line(image_rgb, points[a], points[b], LIGHT, 1, cv2.LINE_AA, SHIFT)
        for j in np.flatnonzero(drawable):
            x, y = points[j]
            if parts[j] != "body":
                cv2.circle(image_rgb, (x, y), 2**SHIFT // 2, LIGHT, -1, cv2.LINE_AA, SHIFT)
                continue
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
