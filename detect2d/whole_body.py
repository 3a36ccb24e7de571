"""People with body, feet, hands and face: the body network first, then a look at each person, hand and face.

The order is the paper's: hands and faces are looked for where the body says they are, so that their cost, unlike that
of the body network, grows with the number of people.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.crop_networks import CropNetwork, load_crop_network
from triskel.detect2d.detector import Detector, Images, load_detector
from triskel.detect2d.heatmaps import HeatMaps
from triskel.detect2d.options import DetectOptions
from triskel.detect2d.parsing import ParseOptions
from triskel.detect2d.parts import PartBoxes, PartDetector, face_boxes, load_face_detector, load_hand_detector
from triskel.detect2d.parts.placement import Boxes, HandsAndFaces
from triskel.detect2d.quality import QUALITIES, Quality, QualityName, suited_quality, suited_whole_body
from triskel.detect2d.single_person import BlazePose, can_be_reconciled, person_crops, reconcile, to_body_25, unlike
from triskel.detect2d.weights import ALIASES, LIGHTER_POSE, WEIGHTS, best_pose_weights
from triskel.detect2d.whole_body_options import PAF_ALONE, WholeBodyOptions
from triskel.errors import InputError, JobError
from triskel.keypoints import People2D
from triskel.session import Setting
from triskel.skeleton import BODY_25, WHOLE_BODY_135, Skeleton
from triskel.whole_body import parts_of

log = logging.getLogger(__name__)


class WholeBodyDetector:
    """A body network and what looks at the people it finds; call it with images.

    Attributes:
        detector: the body network.
        parts: what is looked for.
        pose: looks at each person again; None where that is off.
        hands: looks at each hand; None where that is off.
        face: looks at each face; None where that is off.
    """

    def __init__(
        self,
        detector: Detector,
        parts: WholeBodyOptions = PAF_ALONE,
        *,
        pose: BlazePose | None = None,
        hands: PartDetector | None = None,
        face: PartDetector | None = None,
    ) -> None:
        if (parts.refine or parts.hands or parts.face) and not can_be_reconciled(detector.skeleton):
            raise InputError(
                f"{detector.name} finds {detector.skeleton.name}, which has no shoulders, wrists and hips: the second "
                "look, hands and faces need a network of bodies"
            )
        for wanted, given, name in (
            (parts.refine, pose, "pose"),
            (parts.hands, hands, "hands"),
            (parts.face, face, "face"),
        ):
            if wanted != (given is not None):
                raise ValueError(f"{name} is {'wanted but not given' if wanted else 'given but not wanted'}")
        self.detector, self.parts, self.pose, self.hands, self.face = detector, parts, pose, hands, face
        self._placed = HandsAndFaces(hands, face, parts)

    @property
    def name(self) -> str:
        """Return the name of the body network."""
        return self.detector.name

    @property
    def options(self) -> DetectOptions:
        """Return how the body network runs."""
        return self.detector.options

    @property
    def parse(self) -> ParseOptions:
        """Return the thresholds of the body network's parse."""
        return self.detector.parse

    @property
    def devices(self) -> list[str]:
        """Return the names of the body network's devices."""
        return self.detector.devices

    @property
    def precision(self) -> str:
        """Return what the body network calculates with: float32 or bfloat16."""
        return self.detector.precision

    @property
    def skeleton(self) -> Skeleton:
        """Return the joints this detector finds."""
        return self.parts.skeleton(self.detector.skeleton)

    def input_size(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """Return the size of the body network's input, see `Detector.input_size`."""
        return self.detector.input_size(size_wh)

    def maps(self, images_rgb: Images) -> list[HeatMaps]:
        """Return the body network's maps of each image, see `Detector.maps`."""
        return self.detector.maps(images_rgb)

    def settings(self) -> dict[str, Setting]:
        """Return what is done with each person, in a few words a session's file can hold."""
        parts = self.parts
        on = [part for part in ("body", "feet", "hands", "face") if getattr(parts, part)]
        settings: dict[str, Setting] = {"parts": ",".join(on)}
        if self.pose is not None:
            runtime = type(self.pose.network).__name__.removesuffix("Network").lower()
            settings |= {"second_look": self.pose.network.name, "passes": parts.passes, "runtime": runtime}
        if self.hands is not None:
            settings |= {
                "hand_model": parts.hand_model,
                "hand_scales": parts.hand_scales,
                "track_hands": parts.track_hands,
                "least_hand_score": parts.least_hand_score,
            }
        if self.face is not None:
            settings |= {"face_model": parts.face_model, "least_face_score": parts.least_face_score}
        return settings

    def __call__(
        self,
        images_rgb: Images,
        *,
        maps: Sequence[HeatMaps] | None = None,
        streams: Sequence[str] | None = None,
    ) -> list[People2D]:
        """Find the people in each image.

        Args:
            images_rgb: any number of (H, W, 3) uint8 RGB images.
            maps: what `self.maps` returned for the same images, if it was called.
            streams: which camera or video each image comes from, images of one in the order of time, so that hands can
                be followed from one frame to the next, also from call to call; None for pictures on their own.

        Returns:
            One `People2D` an image, in its pixels, best person first.

        Raises:
            InputError: an image has another shape or type, or there are not as many streams or maps as images.
            JobError: the device's memory is too small.
        """
        if streams is not None and len(streams) != len(images_rgb):
            raise InputError(f"there are {len(images_rgb)} images but {len(streams)} streams")
        if maps is not None and len(maps) != len(images_rgb):
            raise InputError(f"there are {len(images_rgb)} images but {len(maps)} maps")
        found = self.detector(images_rgb, maps=maps)
        people = found
        if self.parts.refine or self.parts.hands or self.parts.face:
            people = [to_body_25(one) for one in found]
        boxes = [_boxes_of_heads(one) for one in found]
        if self.pose is not None:
            people = self._second_look(self.pose, images_rgb, people)
            kept = [unlike(one) for one in people]
            people = [one.take(index) for one, index in zip(people, kept, strict=True)]
            boxes = [_take(one, index) for one, index in zip(boxes, kept, strict=True)]
        if self.parts.hands or self.parts.face:
            people = self.add_hands_and_faces(images_rgb, people, streams=streams, boxes=boxes)
        return [self._wanted(one) for one in people]

    def add_hands_and_faces(
        self,
        images_rgb: Images,
        people: Sequence[People2D],
        *,
        streams: Sequence[str] | None = None,
        boxes: Sequence[Boxes] | None = None,
    ) -> list[People2D]:
        """Look for the hands and faces of people who are known already, where their bodies, or boxes, say.

        Args:
            images_rgb: (H, W, 3) uint8 RGB each.
            people: one entry an image, in BODY_25 or WHOLE_BODY_135.
            streams: see `__call__`.
            boxes: of each image by part (`left_hand`, `right_hand`, `face`), one a person, in place of those out of
                the body: of a 3D model, for instance, that knows where a hand is which this camera hardly sees. NaN
                leaves a box to the body.

        Returns:
            The same people in the same order, in WHOLE_BODY_135.
        """
        return self._placed(images_rgb, [_as_whole_body(one) for one in people], streams=streams, boxes=boxes)

    def _second_look(self, pose: BlazePose, images_rgb: Images, people: list[People2D]) -> list[People2D]:
        """Return the people with the joints of the network for one person, where it agrees."""
        image = np.repeat(np.arange(len(people)), [len(one) for one in people])
        place = np.concatenate([np.arange(len(one)) for one in people]) if people else image
        keypoints = np.concatenate([one.keypoints for one in people]) if people else np.zeros((0, 25, 3))
        crops, whose = person_crops(keypoints, BODY_25, image)
        poses = pose(images_rgb, crops, passes=self.parts.passes)
        joined = []
        for i, (one, rgb) in enumerate(zip(people, images_rgb, strict=True)):
            here = np.flatnonzero(image[whose] == i)
            size_wh = (rgb.shape[1], rgb.shape[0])
            joined.append(reconcile(one, poses.take(here), place[whose[here]], image_wh=size_wh))
        return joined

    def _wanted(self, people: People2D) -> People2D:
        """Return the people without the parts that are off, best first; nobody is left of whom nothing is."""
        keypoints = people.keypoints.copy()
        body = parts_of(people.skeleton)["body"]
        keypoints[:, body] = self.without_unwanted(keypoints[:, body], people.skeleton)
        somebody = np.flatnonzero((keypoints[..., 2] > 0).any(axis=-1))
        order = somebody[np.argsort(-people.scores[somebody], kind="stable")]
        return replace(people, keypoints=keypoints).take(order)

    def without_unwanted(self, bodies: NDArray[np.float64], skeleton: Skeleton = BODY_25) -> NDArray[np.float64]:
        """Return bodies (N, J, 3) without the joints that are off, or below the options' least score.

        Args:
            bodies: px and score of the body's joints alone.
            skeleton: its first joints are these.
        """
        off = bodies[..., 2] < self.options.least_joint_score
        feet = np.array([joint.endswith(("Toe", "Heel")) for joint in skeleton.joints[: bodies.shape[1]]])
        off[:, feet] |= not self.parts.feet
        off[:, ~feet] |= not self.parts.body
        return np.where(off[..., None], (np.nan, np.nan, 0.0), bodies)


def _as_whole_body(people: People2D) -> People2D:
    """Return people with room for hands and face, which are missing where they were in BODY_25."""
    if people.skeleton is WHOLE_BODY_135:
        return people
    keypoints = np.full((len(people), len(WHOLE_BODY_135), 3), np.nan)
    keypoints[..., 2] = 0
    keypoints[:, : len(BODY_25)] = people.keypoints
    return People2D(WHOLE_BODY_135, keypoints, people.scores)


def _boxes_of_heads(people: People2D) -> Boxes:
    """Return the faces' boxes of a network that knows the top of the head: BODY_25 has no joint for it."""
    return {"face": face_boxes(people.keypoints, people.skeleton)} if "Head" in people.skeleton.joints else {}


def _take(boxes: Boxes, index: NDArray[np.intp]) -> Boxes:
    return {part: PartBoxes(*(values[index] for values in one)) for part, one in boxes.items()}


def weights_needed(model: str, parts: WholeBodyOptions) -> tuple[str, ...]:
    """Return the published weights that `load_whole_body` takes, in the order of their use."""
    names = [ALIASES.get(model, model)]
    if parts.refine:
        names.append(best_pose_weights() if parts.pose_model == "auto" else parts.pose_model)
    names += [parts.hand_model] if parts.hands else []
    names += [parts.face_model] if parts.face else []
    names += ["mediapipe_iris"] if parts.face and parts.face_model == "mediapipe_face" else []
    return tuple(name for name in names if name in WEIGHTS)


def _preset(name: str) -> Quality:
    for known, preset in QUALITIES.items():
        if known == name:
            return preset
    raise InputError(f"quality is {', '.join(QUALITIES)}, got {name!r}")


def _load_pose(name: str, common: dict[str, Any]) -> CropNetwork:
    """Load the network for one person; without a connection the better one is done without."""
    wanted = best_pose_weights() if name == "auto" else name
    try:
        return load_crop_network(wanted, **common)
    except JobError as error:
        if name != "auto" or wanted == LIGHTER_POSE:
            raise
        log.warning("%s; taking %s, which finds a little less", error, LIGHTER_POSE)
        return load_crop_network(LIGHTER_POSE, **common)


def load_whole_body(
    model: str = "body",
    *,
    quality: QualityName | None = None,
    options: DetectOptions | None = None,
    parts: WholeBodyOptions | None = None,
) -> WholeBodyDetector:
    """Load a detector of whole people; published weights are fetched on first use.

    people = load_whole_body()(images)       # list of (H, W, 3) uint8 RGB -> list[People2D], WHOLE_BODY_135

    Args:
        model: the body network: `body`, the name of published or imported weights, or a .safetensors file.
        quality: a preset, `fast`, `balanced` or `best`, for what `options` and `parts` do not say; None takes
            `balanced` for `body`, and `DetectOptions()` for other networks.
        options: how the body network runs.
        parts: what is done with each person; None takes `suited_whole_body` of the model.

    Raises:
        InputError: nothing is called that, a file is damaged, or what is asked for cannot be found with it.
        JobError: weights cannot be fetched.
    """
    preset = suited_quality(model) if quality is None else _preset(quality)
    if options is None:
        options = preset.detect_options() if preset else DetectOptions()
    parts = suited_whole_body(model, quality=preset) if parts is None else parts
    detector = load_detector(model, options=options)
    device = str(detector.device)
    common: dict[str, Any] = {
        "runtime": parts.runtime,
        "device": device,
        "threads": options.threads,
        "precision": options.precision,
    }
    pose = BlazePose(_load_pose(parts.pose_model, common)) if parts.refine else None
    hands = load_hand_detector(parts.hand_model, scales=parts.hand_scales, **common) if parts.hands else None
    face = load_face_detector(parts.face_model, **common) if parts.face else None
    return WholeBodyDetector(detector, parts, pose=pose, hands=hands, face=face)
