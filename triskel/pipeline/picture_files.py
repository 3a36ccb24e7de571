"""What is written for one picture: OpenPose JSON, the overlay, and the network's maps as sheets and as numbers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError
from triskel.exchange import write_coco_wholebody
from triskel.exchange.openpose_json import openpose_person
from triskel.files import atomic_path, write_text
from triskel.images import write_image_bgr
from triskel.keypoints import People2D
from triskel.whole_body import parts_of

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
        render_threshold: joints of the body below this score are not drawn.
        hand_render_threshold, face_render_threshold: likewise points of the hands and the face, which are many and
            look like hands and faces even where they are wrong.
        coco_json: also write one results file of COCO or COCO-WholeBody for all pictures.
    """

    part_candidates: bool = False
    heatmaps: bool = False
    keypoint_scale: KeypointScale = "source"
    render_threshold: float = 0.1
    hand_render_threshold: float = 0.2
    face_render_threshold: float = 0.4
    coco_json: bool = False

    def __post_init__(self) -> None:
        if self.keypoint_scale not in KEYPOINT_SCALES:
            raise InputError(f"keypoint_scale is one of {', '.join(KEYPOINT_SCALES)}, got {self.keypoint_scale!r}")
        for name in ("render_threshold", "hand_render_threshold", "face_render_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is 0 to 1, got {getattr(self, name)}")


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
    decimals = 3 if scale in ("source", "net") else 6
    skeleton = found.people.skeleton
    scaled = _scaled(found.people.keypoints, scale, found)
    people = [openpose_person(skeleton, person, None, -1, decimals=decimals) for person in scaled]
    document: dict[str, object] = {"version": 1.3, "people": people}
    if found.candidates is not None:
        xy, score, part = found.candidates
        values = _scaled(np.concatenate([xy, score[:, None]], axis=-1), scale, found).round(6)
        values[:, :2] = values[:, :2].round(decimals)
        joints = parts_of(skeleton)["body"].tolist()
        document["part_candidates"] = [{str(j): values[part == j].ravel().tolist() for j in joints}]
    return document


def _scaled(values: NDArray[np.float64], scale: KeypointScale, found: Found) -> NDArray[np.float64]:
    """Return points (..., 3) x px, y px, score at a scale."""
    size = np.array([found.image_rgb.shape[1], found.image_rgb.shape[0]])
    xy, last = values[..., :2], np.maximum(size - 1, 1)
    if scale == "net":
        xy = (xy + 0.5) * (np.array(found.net_wh) / size) - 0.5
    elif scale == "unit":
        xy = xy / last
    elif scale == "signed":
        xy = 2 * xy / last - 1
    return np.concatenate([xy, values[..., 2:]], axis=-1)


def write_coco_json(path: Path, names: Sequence[str], people: Sequence[People2D]) -> None:
    """Write the people of all pictures as one results file of COCO or, with hands and faces, of COCO-WholeBody.

    A picture's number is the one in its name (`000000000139.jpg`), as in COCO, where every name is a number and no two
    are the same; otherwise pictures count from 1 and the entries also hold the name, as `file_name`.

    Args:
        path: the `.json` file.
        names: of the pictures' files, or the numbers of a video's frames.
        people: those of each picture.

    Raises:
        JobError: the file cannot be written.
    """
    stems = [Path(name).stem for name in names]
    if all(stem.isascii() and stem.isdigit() for stem in stems) and len(set(map(int, stems))) == len(stems):
        write_coco_wholebody(path, zip(map(int, stems), people, strict=True))
        return
    made_up = dict(enumerate(names, start=1))
    write_coco_wholebody(path, zip(made_up, people, strict=True), file_names=made_up)


def draw_overlay(found: Found, outputs: PictureOutputs) -> Picture:
    """Return a copy of the picture with the people drawn in, without joints below the score of their part."""
    from triskel.viewer import draw_people

    image = found.image_rgb.copy()
    keypoints = found.people.keypoints.copy()
    hand = outputs.hand_render_threshold
    least = {
        "body": outputs.render_threshold,
        "left_hand": hand,
        "right_hand": hand,
        "face": outputs.face_render_threshold,
    }
    for part, joints in parts_of(found.people.skeleton).items():
        unsure = np.zeros(keypoints.shape[:2], dtype=bool)
        unsure[:, joints] = keypoints[:, joints, 2] < least[part]
        keypoints[unsure] = np.nan
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
