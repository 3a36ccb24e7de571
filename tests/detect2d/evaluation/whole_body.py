"""Labels of COCO-WholeBody's kind, and detections made of them."""

import numpy as np

from triskel.detect2d.datasets.part_labels import PART_FIELDS
from triskel.keypoints import People2D
from triskel.skeleton import COCO_17, WHOLE_BODY_135
from triskel.whole_body import parts_of

from .labels import annotation

FIELDS = {field.name: field.joints for field in PART_FIELDS}
PARTS = parts_of(WHOLE_BODY_135)


def labels_of(seed=0, *, at=(60.0, 40.0), body=True):
    """A person's labels by field: body on a patch of 60 x 120 px, hands of 24 px and a face of 30 px beside it."""
    rng = np.random.default_rng(seed)
    places = {
        "keypoints": (COCO_17.joints, (0, 0), (60, 120)), "foot": (FIELDS["foot"], (0, 130), (60, 20)),
        "face": (FIELDS["face"], (15, -35), (30, 30)), "lefthand": (FIELDS["lefthand"], (65, 50), (24, 24)),
        "righthand": (FIELDS["righthand"], (-30, 50), (24, 24)),
    }  # fmt: skip
    labels = {}
    for field, (joints, corner, size) in places.items():
        xy = np.array(at) + corner + rng.uniform(0, 1, (len(joints), 2)) * size
        labels[field] = np.c_[xy, np.full(len(joints), 2.0)]
    labels["lefthand"][0], labels["righthand"][0] = labels["keypoints"][9], labels["keypoints"][10]
    if not body:
        labels["keypoints"][:] = 0
        labels["foot"][:] = 0
    return labels


def annotated(id_, image_id, labels, **more):
    """The annotation of labels by field; what is not there is not valid."""
    fields = {}
    for name, joints in FIELDS.items():
        points = labels.get(name)
        fields[f"{name}_kpts"] = (np.zeros((len(joints), 3)) if points is None else points).ravel().tolist()
        fields[f"{name}_valid"] = points is not None
    return annotation(id_, image_id, labels["keypoints"], bbox=[20.0, 0.0, 150.0, 200.0], **(fields | more))


def detected(people, scores=None, *, noise=0.0, seed=1):
    """A detection of each person's labels as the whole body, with noise in px."""
    rng = np.random.default_rng(seed)
    keypoints = np.full((len(people), 135, 3), np.nan)
    keypoints[..., 2] = 0
    for one, labels in zip(keypoints, people, strict=True):
        for field, points in labels.items():
            joints = COCO_17.joints if field == "keypoints" else FIELDS[field]
            for joint, (x, y, seen) in zip(joints, points, strict=True):
                if joint in WHOLE_BODY_135.joints and seen:
                    one[WHOLE_BODY_135.index(joint)] = x, y, 0.8
    keypoints[..., :2] += rng.normal(0, 1, keypoints[..., :2].shape) * noise
    return People2D(WHOLE_BODY_135, keypoints, np.array(scores or np.linspace(0.9, 0.5, len(people))))


def without(people, part):
    """The same people with a part not found."""
    keypoints = people.keypoints.copy()
    keypoints[:, PARTS[part]] = np.nan, np.nan, 0
    return People2D(people.skeleton, keypoints, people.scores)
