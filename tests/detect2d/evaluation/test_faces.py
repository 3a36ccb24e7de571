"""NME of faces against a direct computation."""

import numpy as np
import pytest

from triskel.detect2d.evaluation.faces import score_faces
from triskel.keypoints import People2D
from triskel.skeleton import BODY_25, COCO_17, WHOLE_BODY_135

from .whole_body import PARTS, annotated, detected, labels_of, without

GROUPS = {"jaw": (0, 17), "brows": (17, 27), "nose": (27, 36), "eyes": (36, 48), "mouth": (48, 68)}


@pytest.fixture
def truth_of(ground_truth):
    """Return the function that gives the ground truth of annotations with COCO's 17 joints of the body."""
    return lambda annotations, **options: ground_truth(COCO_17.joints, annotations, **options)


def slow_errors(labels, points):
    """Errors (68,) of one face by the distance of points 36 and 45, NaN where either is missing."""
    eyes = ((labels[36, 0] - labels[45, 0]) ** 2 + (labels[36, 1] - labels[45, 1]) ** 2) ** 0.5
    errors = [
        ((x - u) ** 2 + (y - v) ** 2) ** 0.5 / eyes if seen and score else np.nan
        for (u, v, seen), (x, y, score) in zip(labels, points, strict=True)
    ]
    return np.array(errors)


def test_nme_is_that_of_a_direct_computation(truth_of):
    people = [[labels_of(1), labels_of(2, at=(200, 60))], [labels_of(3)]]
    people[0][1]["face"][[3, 30]] = 0
    truth = truth_of([annotated(1, 1, people[0][0]), annotated(2, 1, people[0][1]), annotated(3, 2, people[1][0])])
    found = [detected(one, noise=1.5, seed=i) for i, one in enumerate(people)]
    found[1].keypoints[0, PARTS["face"][50:60]] = np.nan, np.nan, 0
    faces = score_faces(found, truth, WHOLE_BODY_135)
    errors = [
        slow_errors(labels["face"], np.nan_to_num(one.keypoints[n, PARTS["face"][:68]]))
        for one, several in zip(found, people, strict=True)
        for n, labels in enumerate(several)
    ]
    np.testing.assert_allclose(faces.errors, [np.nanmean(one) for one in errors], rtol=1e-12)
    assert faces.nme == pytest.approx(np.mean([np.nanmean(one) for one in errors]))
    for group, (start, stop) in GROUPS.items():
        assert faces.groups[group] == pytest.approx(np.mean([np.nanmean(one[start:stop]) for one in errors]))
    assert (faces.labelled, faces.found, faces.unmeasured) == (3, 3, 0)
    assert faces.present == pytest.approx((66 + 68 + 58) / (66 + 68 + 68))
    for reach, share in zip(faces.reaches, faces.curve, strict=True):
        assert share == pytest.approx(np.mean([np.nanmean(one) <= reach for one in errors]))


@pytest.mark.parametrize(("share", "failures"), [(0.099, 0), (0.101, 1)])
def test_a_face_fails_above_ten_percent_of_the_eyes_distance(truth_of, share, failures):
    labels = labels_of(4)
    eyes = np.linalg.norm(labels["face"][36, :2] - labels["face"][45, :2])
    found = detected([labels])
    found.keypoints[0, PARTS["face"], 0] += share * eyes
    faces = score_faces([found], truth_of([annotated(1, 1, labels)], images=1), WHOLE_BODY_135)
    assert faces.nme == pytest.approx(share)
    assert faces.failures == failures


def test_faces_not_found_are_failures_but_have_no_error(truth_of):
    people = [labels_of(1), labels_of(2), labels_of(3)]
    truth = truth_of([annotated(i + 1, i + 1, one) for i, one in enumerate(people)], images=3)
    few = detected(people[2:])
    few.keypoints[0, PARTS["face"][:35]] = np.nan, np.nan, 0  # 33 of 68 points are left
    faces = score_faces([detected(people[:1]), without(detected(people[1:2]), "face"), few], truth, WHOLE_BODY_135)
    assert (faces.labelled, faces.found) == (3, 1)
    assert faces.nme == pytest.approx(0, abs=1e-12)
    assert faces.failures == pytest.approx(2 / 3)
    assert faces.curve[-1] == pytest.approx(1 / 3)


def test_nobody_found_has_no_error_at_all(truth_of):
    truth = truth_of([annotated(1, 1, labels_of(1))], images=1)
    faces = score_faces([People2D.empty(WHOLE_BODY_135)], truth, WHOLE_BODY_135)
    assert (faces.labelled, faces.found, faces.failures) == (1, 0, 1)
    assert np.isnan([faces.nme, faces.present, *faces.groups.values()]).all()
    assert (faces.curve == 0).all()


def test_faces_without_both_outer_eye_corners_cannot_be_measured(truth_of):
    labels = labels_of(1)
    labels["face"][36] = 0
    faces = score_faces([detected([labels])], truth_of([annotated(1, 1, labels)], images=1), WHOLE_BODY_135)
    assert (faces.labelled, faces.unmeasured) == (0, 1)
    assert np.isnan([faces.nme, faces.failures]).all()


def test_people_whose_body_nobody_labelled_are_told_by_the_face(truth_of):
    people = [labels_of(1, body=False), labels_of(2, at=(200, 60), body=False)]
    truth = truth_of([annotated(i + 1, 1, one) for i, one in enumerate(people)], images=1)
    found = detected([labels_of(2, at=(200, 60)), labels_of(1)])
    assert score_faces([found], truth, WHOLE_BODY_135).nme == pytest.approx(0, abs=1e-12)


def test_pupils_are_not_compared_and_models_without_a_face_have_no_figures(truth_of):
    labels = labels_of(1)
    truth = truth_of([annotated(1, 1, labels)], images=1)
    found = detected([labels])
    found.keypoints[0, PARTS["face"][68:]] = 0.0, 0.0, 0.9
    assert score_faces([found], truth, WHOLE_BODY_135).nme == pytest.approx(0, abs=1e-12)
    assert score_faces([People2D.empty(BODY_25)], truth, BODY_25) is None
