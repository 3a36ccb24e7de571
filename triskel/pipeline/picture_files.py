"""What is written for one picture: OpenPose JSON, the overlay, and the network's maps as sheets and as numbers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError
from triskel.exchange.openpose_json import openpose_person
from triskel.files import atomic_path, write_text
from triskel.images import write_image_bgr
from triskel.keypoints import People2D

if TYPE_CHECKING:
    from triskel.detect2d import HeatMaps
    from triskel.detect2d.parsing import Candidates

Picture = NDArray[np.uint8]
KeypointScale = Literal["source", "net", "unit", "signed"]
KEYPOINT_SCALES: tuple[KeypointScale, ...] = get_args(KeypointScale)


@dataclass(frozen=True, kw_only=True)
class PictureOutputs:
    """What is written for each picture besides its keypoints.

    Attributes:
        part_candidates: also write each joint's candidates, used by a person or not, into the JSON.
        heatmaps: also write the maps, as two sheets of pictures and as numbers (.npz).
        keypoint_scale: coordinates in the JSON: `source` pixels of the picture, `net` pixels of the network's input,
            `unit` 0 to 1 and `signed` -1 to 1 from the first pixel's centre to the last one's.
        render_threshold: joints below this score are not drawn.
    """

    part_candidates: bool = False
    heatmaps: bool = False
    keypoint_scale: KeypointScale = "source"
    render_threshold: float = 0.05

    def __post_init__(self) -> None:
        if self.keypoint_scale not in KEYPOINT_SCALES:
            raise InputError(f"keypoint_scale is one of {', '.join(KEYPOINT_SCALES)}, got {self.keypoint_scale!r}")
        if not 0 <= self.render_threshold <= 1:
            raise InputError(f"render_threshold is 0 to 1, got {self.render_threshold}")


class Found(NamedTuple):
    """What the detector found in one picture.

    Attributes:
        image_rgb: the picture.
        people: in it.
        net_wh: size of the network's input, px.
        maps: None where they are not written.
        candidates: of parts, in the picture's pixels; None where they are not written.
    """

    image_rgb: Picture
    people: People2D
    net_wh: tuple[int, int]
    maps: "HeatMaps | None" = None
    candidates: "Candidates | None" = None


def write_found(folder: Path, name: str, found: Found, scale: KeypointScale) -> None:
    """Write what was found in one picture, each file whole or not at all.

    `<name>_keypoints.json`; where there are maps also two sheets of them, `<name>_confidence.png` and
    `<name>_affinity.png`, and the numbers, `<name>_maps.npz`.

    Raises:
        JobError: a file cannot be written.
    """
    document = openpose_document(found, scale)
    write_text(folder / f"{name}_keypoints.json", json.dumps(document, separators=(",", ":")))
    if found.maps is not None:
        _write_maps(folder, name, found.image_rgb, found.maps)


def openpose_document(found: Found, scale: KeypointScale) -> dict[str, object]:
    """Return a picture's people as OpenPose JSON 1.3, with `part_candidates` by joint number where there are any.

    A missing joint is 0, 0, 0 at every scale.
    """
    people = []
    for keypoints in found.people.keypoints:
        person = openpose_person(keypoints, None, -1)
        if scale != "source":
            person["pose_keypoints_2d"] = _scaled(keypoints, scale, found)
        people.append(person)
    document: dict[str, object] = {"version": 1.3, "people": people}
    if found.candidates is not None:
        xy, score, part = found.candidates
        values = np.concatenate([xy, score[:, None]], axis=-1)
        joints = range(len(found.people.skeleton))
        document["part_candidates"] = [{str(j): _scaled(values[part == j], scale, found) for j in joints}]
    return document


def _scaled(values: NDArray[np.float64], scale: KeypointScale, found: Found) -> list[float]:
    """Return points (M, 3) x px, y px, score at a scale as one flat list."""
    size = np.array([found.image_rgb.shape[1], found.image_rgb.shape[0]])
    xy, last = values[:, :2], np.maximum(size - 1, 1)
    decimals = 3 if scale in ("source", "net") else 6
    if scale == "net":
        xy = (xy + 0.5) * (np.array(found.net_wh) / size) - 0.5
    elif scale == "unit":
        xy = xy / last
    elif scale == "signed":
        xy = 2 * xy / last - 1
    rounded = np.concatenate([np.round(xy, decimals), np.round(values[:, 2:], 6)], axis=-1)
    return [float(value) for value in np.nan_to_num(rounded).ravel()]


def draw_overlay(found: Found, render_threshold: float) -> Picture:
    """Return a copy of the picture with the people drawn in, without joints below a score."""
    from triskel.viewer import draw_people

    image = found.image_rgb.copy()
    keypoints = found.people.keypoints.copy()
    keypoints[keypoints[..., 2] < render_threshold] = np.nan
    draw_people(image, keypoints, found.people.skeleton)
    return image


def write_picture(path: Path, image_rgb: Picture) -> None:
    """Write a picture in the format that its suffix says.

    Raises:
        JobError: it cannot be written.
    """
    write_image_bgr(path, image_rgb[..., ::-1])


def _write_maps(folder: Path, name: str, image_rgb: Picture, maps: "HeatMaps") -> None:
    from triskel.viewer.maps import affinity_sheet, confidence_sheet

    skeleton, limbs = maps.layout.skeleton, maps.layout.limbs
    # The background is near 1 almost everywhere; what it leaves is what the network takes for a joint.
    confidence = np.concatenate([maps.confidence[:-1], 1 - maps.confidence[-1:]])
    names = [*skeleton.joints, "any joint (1 - background)"]
    write_picture(folder / f"{name}_confidence.png", confidence_sheet(image_rgb, confidence, names, skeleton.colours))
    if limbs:
        fields = maps.affinity.reshape(len(limbs), 2, *maps.affinity.shape[1:])
        joined = [f"{skeleton.joints[a]} → {skeleton.joints[b]}" for a, b in limbs]
        write_picture(folder / f"{name}_affinity.png", affinity_sheet(image_rgb, fields, joined))
    with atomic_path(folder / f"{name}_maps.npz") as temporary:
        np.savez_compressed(
            temporary,
            confidence=maps.confidence,
            affinity=maps.affinity,
            joints=np.array(skeleton.joints),
            limbs=maps.layout.limb_array,
            image_wh=np.array(maps.image_wh),
            net_wh=np.array(maps.input_wh),
        )
