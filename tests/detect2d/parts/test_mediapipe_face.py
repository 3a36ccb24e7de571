import numpy as np
import pytest

from triskel.detect2d.crops import Crops
from triskel.detect2d.parts import FaceDetector, FaceOptions, face_boxes, load_face_detector
from triskel.errors import InputError
from triskel.skeleton import COCO_17, FACE_70


def faces_of(detector, image, people):
    crops, _ = face_boxes(people, COCO_17).crops(np.zeros(len(people), int))
    return detector([image], crops)


def mesh(size=192.0):
    """Return 468 points in a piece, the corners of the eyes level and 40 px long."""
    points = np.random.default_rng(3).uniform(0.25 * size, 0.75 * size, (468, 3))
    points[[33, 133, 362, 263], :2] = [(50, 80), (80, 80), (112, 80), (142, 80)]
    return points


def crop(centre=(150.0, 150.0), side=150.0):
    return Crops.upright(np.array([0]), np.array([centre]), np.array([side]))


@pytest.mark.parametrize(("presence", "found"), [(0.51, True), (0.49, False)])
def test_a_square_without_a_face_has_no_points(fixed_network, presence, found):
    network = fixed_network(192, landmarks=mesh(), presence=presence)
    points = FaceDetector(network)([np.zeros((300, 300, 3), np.uint8)], crop())
    assert points.shape == (1, 70, 3)
    assert (np.isfinite(points).all() and np.allclose(points[..., 2], presence)) == found
    assert found or (np.isnan(points[..., :2]).all() and not points[..., 2].any())


def test_options_out_of_range_are_refused():
    with pytest.raises(InputError, match="least_presence is 0 to 1, got -1"):
        FaceOptions(least_presence=-1)
    with pytest.raises(InputError, match="no face detector is called 'mask'"):
        load_face_detector("mask")


@pytest.mark.network
@pytest.mark.slow
def test_eyes_and_nose_of_photographs_are_where_people_labelled_them(labelled_people):
    detector = load_face_detector(precision="float32", device="cpu")
    error, count = [], 0
    for image, people in zip(*labelled_people, strict=True):
        boxes = face_boxes(people, COCO_17)
        whose = np.flatnonzero(np.isfinite(boxes.side))
        for points, person in zip(faces_of(detector, image, people), people[whose], strict=True):
            truth = person[[COCO_17.index(n) for n in ("REye", "LEye", "Nose")], :2]
            between = np.linalg.norm(truth[0] - truth[1])
            if points[:, 2].max() > 0 and between > 15:
                error.extend(np.linalg.norm(points[[68, 69, 30], :2] - truth, axis=1) / between)
                count += 1
    assert count >= 5
    assert np.nanmedian(error) < 0.12


@pytest.mark.network
@pytest.mark.slow
def test_a_mirrored_photograph_has_nearly_mirrored_faces(labelled_people, mirror_people):
    detector = load_face_detector(precision="float32", device="cpu")
    error = []
    for image, people in zip(*labelled_people, strict=True):
        mirrored, other = mirror_people(image, people, COCO_17)
        here, there = faces_of(detector, image, people), faces_of(detector, mirrored, other)[:, list(FACE_70.flips)]
        there[..., 0] = image.shape[1] - 1 - there[..., 0]
        between = np.linalg.norm(here[:, 36, :2] - here[:, 45, :2], axis=-1)
        error.append((np.linalg.norm(here[..., :2] - there[..., :2], axis=-1) / between[:, None]).ravel())
    error = np.concatenate(error)
    # Faces are not mirrored before the network, which is not quite symmetric itself.
    assert np.nanmedian(error) < 0.05


@pytest.mark.network
def test_there_is_no_face_in_a_grey_picture_and_none_in_no_box():
    detector = load_face_detector()
    grey = np.full((300, 300, 3), 128, np.uint8)
    for side in (41.0, 150.0, 3000.0):
        assert np.isnan(detector([grey], crop(side=side))[..., :2]).all()
    assert detector([], crop().take(slice(0, 0))).shape == (0, 70, 3)
