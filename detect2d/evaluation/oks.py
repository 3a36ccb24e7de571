"""COCO's average precision and recall over object keypoint similarity (OKS), by pycocotools.

The similarity of a detection and a labelled person is the mean, over the joints with a label, of
exp(-d^2 / (8 sigma^2 area)); it plays the part of the overlap of boxes. A joint that was not found lies at (0, 0), as
in COCO's results files: far from nearly every label, hence similarity 0. Such a person's box, from which pycocotools
tells whether an unmatched detection is medium or large, then reaches the picture's corner.
"""

import contextlib
import copy
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets import HAND_WRISTS, match_joints
from triskel.detect2d.evaluation.ground_truth import GroundTruth
from triskel.errors import InputError
from triskel.keypoints import People2D
from triskel.skeleton import WHOLE_BODY_135, Skeleton
from triskel.whole_body import WRISTS

DEFAULT_SIGMA = 0.08
"""Spread of a joint whose skeleton has no `sigmas`: about that of COCO's shoulders."""
MOST_PEOPLE = 20  # detections an image that COCO's keypoint task counts

Results = list[dict[str, Any]]


FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
"""Average precision and recall over the similarities .5 to .95, at .5 and .75, and of medium and large people.

Medium is 32^2 to 96^2 px^2, large beyond. The recall is that with at most 20 detections an image.
"""


@dataclass(frozen=True, eq=False)
class OksScores:
    """Average precision and recall.

    Attributes:
        joints: those compared.
        people: labelled people that count.
        figures: by the names of `FIGURES`, 0 to 1; NaN where there is nobody of that size.
        similarities: (T,) thresholds of the curves, .5 to .95.
        recalls: (R,) 0 to 1.
        precision: (T, R) the curves.
    """

    joints: tuple[str, ...]
    people: int
    figures: Mapping[str, float]
    similarities: NDArray[np.float64]
    recalls: NDArray[np.float64]
    precision: NDArray[np.float64]

    @property
    def ap(self) -> float:
        """Return the average precision, the headline."""
        return self.figures["AP"]


def joint_sigmas(skeleton: Skeleton, joints: Mapping[int, int]) -> NDArray[np.float64]:
    """Return the spread of the joints at the keys of `joints`; 0.08 each where the skeleton has none."""
    if skeleton.sigmas is None:
        return np.full(len(joints), DEFAULT_SIGMA)
    return np.array([skeleton.sigmas[i] for i in joints])


def coco_results(people: Sequence[People2D], truth: GroundTruth) -> Results:
    """Return detections in COCO's results format, over the joints of the ground truth, in their order.

    People without any of those joints are left out; a joint that was not found, or that the model does not know, is
    0, 0, 0.
    """
    results: Results = []
    for found, image in zip(people, truth.images, strict=True):
        known = match_joints(found.skeleton.joints, truth.joints)
        keypoints = np.zeros((len(found), len(truth.joints), 3))
        keypoints[:, list(known.values())] = np.nan_to_num(found.keypoints[:, list(known)], nan=0.0)
        for one, score in zip(keypoints, found.scores, strict=True):
            if (one[:, 2] > 0).any():
                where = {"image_id": image.image_id, "category_id": truth.category_id}
                results.append(where | {"keypoints": one.ravel().tolist(), "score": float(score)})
    return results


def results_file(people: Sequence[People2D], truth: GroundTruth) -> Results:
    """Return detections as the evaluation that goes with the data set reads them: COCO's, or COCO-WholeBody's.

    Where the ground truth has feet, face and hands in fields of their own, so have the results, with zeros for points
    that were not found; people who have none of the body's joints are in them too.
    """
    if not truth.parts:
        return coco_results(people, truth)
    own = len(truth.joints) - sum(len(part.joints) for part in truth.parts)
    joints = {"keypoints": truth.joints[:own], **{f"{part.name}_kpts": part.joints for part in truth.parts}}
    wrists = {wrist: WHOLE_BODY_135.joints[WRISTS[hand]] for hand, wrist in HAND_WRISTS.items()}
    results: Results = []
    for found, image in zip(people, truth.images, strict=True):
        known = {
            field: match_joints(found.skeleton.joints, [wrists.get(name, name) for name in names])
            for field, names in joints.items()
        }
        for keypoints, score in zip(found.keypoints, found.scores, strict=True):
            result: dict[str, Any] = {"image_id": image.image_id, "category_id": truth.category_id}
            for field, names in joints.items():
                points = np.zeros((len(names), 3))
                points[list(known[field].values())] = np.nan_to_num(keypoints[list(known[field])], nan=0.0)
                result[field] = points.ravel().tolist()
            results.append(result | {"score": float(score)})
    return results


def score_oks(results: Results, truth: GroundTruth, sigmas: NDArray[np.float64]) -> OksScores:
    """Score detections as COCO does.

    Args:
        results: as `coco_results` gives them, over the joints of `truth`.
        truth: the labelled people; those without a label among its joints, and crowds, are regions to ignore.
        sigmas: (J) spread of each joint.

    Raises:
        InputError: nobody counts.
    """
    if not truth.people:
        raise InputError(f"{truth.annotations}: nobody has a label of {', '.join(truth.joints)}; nothing to score")
    with contextlib.redirect_stdout(io.StringIO()):
        from pycocotools.cocoeval import COCOeval

        annotations = _index(truth, _coco_annotations(truth))
        detections = annotations.loadRes(copy.deepcopy(results)) if results else _index(truth, [])
        evaluation = COCOeval(annotations, detections, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        evaluation.params.maxDets = [MOST_PEOPLE]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    figures = [float(value) if value >= 0 else np.nan for value in evaluation.stats]
    return OksScores(
        joints=truth.joints,
        people=truth.people,
        figures=dict(zip(FIGURES, figures, strict=True)),
        similarities=np.array(evaluation.params.iouThrs),
        recalls=np.array(evaluation.params.recThrs),
        precision=np.array(evaluation.eval["precision"][:, :, 0, 0, 0]),
    )


def _coco_annotations(truth: GroundTruth) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = []
    for image in truth.images:
        for n in range(len(image.keypoints)):
            annotations.append(
                {
                    "id": len(annotations) + 1,  # 0 would read as unmatched
                    "image_id": image.image_id,
                    "category_id": truth.category_id,
                    "keypoints": np.nan_to_num(image.keypoints[n], nan=0.0).ravel().tolist(),
                    "num_keypoints": int(image.labelled[n].sum()),
                    "bbox": image.boxes[n].tolist(),
                    "area": float(image.areas[n]),
                    "iscrowd": int(image.crowd[n]),
                }
            )
    return annotations


def _index(truth: GroundTruth, annotations: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - pycocotools is untyped
    """Return a data set in pycocotools' own class, without a file in between."""
    from pycocotools.coco import COCO

    made = COCO()
    made.dataset = {
        "images": [{"id": image.image_id} for image in truth.images],
        "categories": [{"id": truth.category_id, "name": "person", "keypoints": list(truth.joints)}],
        "annotations": annotations,
        "info": {},
    }
    made.createIndex()
    return made
