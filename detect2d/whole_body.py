"""People with body, feet, hands and face: the body network first, then a look at each person, hand and face.

The order is the paper's: hands and faces are looked for where the body says they are, so that their cost, unlike that
of the body network, grows with the number of people.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from triskel.detect2d.crop_networks import load_crop_network
from triskel.detect2d.detector import Detector, Images, load_detector
from triskel.detect2d.heatmaps import HeatMaps
from triskel.detect2d.options import DetectOptions
from triskel.detect2d.parsing import ParseOptions
from triskel.detect2d.parts import PartDetector, load_face_detector, load_hand_detector
from triskel.detect2d.parts.placement import HandsAndFaces
from triskel.detect2d.quality import suited_quality, suited_whole_body
from triskel.detect2d.single_person import BlazePose, can_be_reconciled, person_crops, reconcile, to_body_25
from triskel.detect2d.weights import ALIASES, WEIGHTS, best_pose_weights
from triskel.detect2d.whole_body_options import PAF_ALONE, WholeBodyOptions
from triskel.errors import InputError
from triskel.keypoints import People2D
from triskel.session import Setting
from triskel.skeleton import BODY_25, WHOLE_BODY_135, Skeleton
from triskel.whole_body import parts_of


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
        on = [part for part in ("body", "feet", "hands", "face") if getattr(self.parts, part)]
        return {
            "parts": ",".join(on),
            "second_look": self.pose.network.name if self.pose else None,
            "passes": self.parts.passes if self.pose else None,
            "hand_model": self.parts.hand_model if self.hands else None,
            "face_model": self.parts.face_model if self.face else None,
        }

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
            InputError: an image has another shape or type.
            JobError: the device's memory is too small.
        """
        people = self.detector(images_rgb, maps=maps)
        if self.parts.refine or self.parts.hands or self.parts.face:
            people = [to_body_25(one) for one in people]
        if self.pose is not None:
            people = self._second_look(self.pose, images_rgb, people)
        if self.parts.hands or self.parts.face:
            people = self._placed(images_rgb, [_as_whole_body(one) for one in people], streams)
        return [self._wanted(one) for one in people]

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
        off = np.zeros(keypoints.shape[:2], bool)
        off[:, body] = keypoints[:, body, 2] < self.options.least_joint_score
        feet = np.array([joint.endswith(("Toe", "Heel")) for joint in people.skeleton.joints[: len(body)]])
        off[:, body[feet]] |= not self.parts.feet
        off[:, body[~feet]] |= not self.parts.body
        keypoints[off] = np.nan, np.nan, 0
        somebody = np.flatnonzero((keypoints[..., 2] > 0).any(axis=-1))
        order = somebody[np.argsort(-people.scores[somebody], kind="stable")]
        return replace(people, keypoints=keypoints).take(order)


def _as_whole_body(people: People2D) -> People2D:
    """Return people of BODY_25 with room for hands and face, which are missing."""
    keypoints = np.full((len(people), len(WHOLE_BODY_135), 3), np.nan)
    keypoints[..., 2] = 0
    keypoints[:, : len(BODY_25)] = people.keypoints
    return People2D(WHOLE_BODY_135, keypoints, people.scores)


def weights_needed(model: str, parts: WholeBodyOptions) -> tuple[str, ...]:
    """Return the published weights that `load_whole_body` takes, in the order of their use."""
    names = [ALIASES.get(model, model)]
    if parts.refine:
        names.append(best_pose_weights() if parts.pose_model == "auto" else parts.pose_model)
    names += [parts.hand_model] if parts.hands else []
    names += [parts.face_model] if parts.face else []
    names += ["mediapipe_iris"] if parts.face and parts.face_model == "mediapipe_face" else []
    return tuple(name for name in names if name in WEIGHTS)


def load_whole_body(
    model: str = "body", *, options: DetectOptions | None = None, parts: WholeBodyOptions | None = None
) -> WholeBodyDetector:
    """Load a detector of whole people; published weights are fetched on first use.

    people = load_whole_body()(images)       # list of (H, W, 3) uint8 RGB -> list[People2D], WHOLE_BODY_135

    Args:
        model: the body network: `body`, the name of published or imported weights, or a .safetensors file.
        options: how it runs; None takes the preset `balanced` for `body`, and `DetectOptions()` for others.
        parts: what is done with each person; None takes `suited_whole_body` of the model.

    Raises:
        InputError: nothing is called that, a file is damaged, or what is asked for cannot be found with it.
        JobError: weights cannot be fetched.
    """
    quality = suited_quality(model)
    if options is None:
        options = quality.detect_options() if quality else DetectOptions()
    parts = suited_whole_body(model, quality=quality) if parts is None else parts
    detector = load_detector(model, options=options)
    device = str(detector.device)
    common = {"runtime": parts.runtime, "device": device, "threads": options.threads}
    pose = None
    if parts.refine:
        name = best_pose_weights() if parts.pose_model == "auto" else parts.pose_model
        pose = BlazePose(load_crop_network(name, **common))  # type: ignore[arg-type]
    hands = load_hand_detector(parts.hand_model, scales=parts.hand_scales, **common) if parts.hands else None  # type: ignore[arg-type]
    face = load_face_detector(parts.face_model, **common) if parts.face else None  # type: ignore[arg-type]
    return WholeBodyDetector(detector, parts, pose=pose, hands=hands, face=face)
