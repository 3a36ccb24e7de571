"""`triskel detect` on sessions, images, folders and videos: what is written, and what a user is told."""

import json
import os

import av
import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from triskel import InputError, save_rig
from triskel.commands.measure import ring
from triskel.detect2d import PAF_ALONE, DetectOptions, Detector, HeatMaps, WholeBodyDetector
from triskel.detect2d.layout import layout_of
from triskel.detect2d.networks import build_network
from triskel.detect2d.weights import save_network
from triskel.motion import Detections2D
from triskel.pipeline.frames import FrameRange
from triskel.pipeline.picture_files import PictureOutputs
from triskel.pipeline.pictures import _candidates, detect_pictures, plan_pictures, read_image
from triskel.projection import project_rig
from triskel.session import Session
from triskel.skeleton import BODY_25, COCO_18
from triskel.triangulate import OverTimeOptions, PeopleOptions, triangulate_people

SIZE_WH = (320, 240)
SPOTS = np.array([[170.0, 60.0], [170.0, 130.0], [120.0, 130.0]])  # nose, neck, right shoulder


def one_line(err):
    lines = [line for line in err.splitlines() if line.startswith("triskel:")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


class Blobs(torch.nn.Module):
    """Sees a red nose above a green neck with a blue right shoulder beside it."""

    def forward(self, image):
        confidence = torch.zeros(len(image), 19, image.shape[2] // 8, image.shape[3] // 8)
        affinity = torch.zeros(len(image), 38, *confidence.shape[2:])
        confidence[:, :3] = functional.avg_pool2d(image, 8).flip(1) / 255
        affinity[:, 2 * 14 + 1] = -1
        affinity[:, 2 * 6] = -1
        return confidence, affinity


@pytest.fixture
def blobs():
    options = DetectOptions(precision="float32", device="cpu", net_size=(432, 368))
    return WholeBodyDetector(Detector(Blobs(), layout_of(COCO_18), options), PAF_ALONE)


def picture(shift=0.0):
    x, y = np.meshgrid(np.arange(SIZE_WH[0]), np.arange(SIZE_WH[1]))
    image = [220 * np.exp(-((x - cx - shift) ** 2 + (y - cy) ** 2) / (2 * 12.0**2)) for cx, cy in SPOTS]
    return np.stack(image, axis=-1).round().astype(np.uint8)


def write_image(path, image):
    assert cv2.imwrite(str(path), image[..., ::-1])
    return path


def write_video(path, images, *, rate=20):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv444p", {"crf": "5"}
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network file of BODY_25 that sees all joints of one person in the first cell of every image."""
    network = build_network("compact", layout_of(BODY_25))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        bias = [p for name, p in network.stages[-1].named_parameters() if name.endswith("bias") and len(p) == 26]
        bias[-1][:25] = 0.5
    path = tmp_path_factory.mktemp("model") / "corner.safetensors"
    save_network(path, network.eval(), layout_of(BODY_25))
    return path


def people_of(path):
    people = json.loads(path.read_text())["people"]
    return [np.reshape(person["pose_keypoints_2d"], (-1, 3)) for person in people]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_image_gets_its_json_and_an_overlay(tmp_path, blobs):
    image = write_image(tmp_path / "photo.png", picture())
    done = detect_pictures(plan_pictures(image, tmp_path / "out"), blobs)
    assert done == (1, 1)
    assert names_in(tmp_path / "out") == ["photo_keypoints.json", "photo_overlay.jpg"]
    document = json.loads((tmp_path / "out/photo_keypoints.json").read_text())
    assert document["version"] == 1.3
    assert list(document) == ["version", "people"]
    found = people_of(tmp_path / "out/photo_keypoints.json")
    np.testing.assert_allclose(found[0][:3, :2], SPOTS, rtol=0, atol=0.6)
    assert (found[0][3:] == 0).all()
    overlay = read_image(tmp_path / "out/photo_overlay.jpg").astype(int)
    changed = np.abs(overlay - picture()).max(axis=-1) > 60
    assert changed[130, 130:160].mean() > 0.9  # the limb from neck to shoulder
    assert not changed[180:].any()


@pytest.mark.parametrize(
    ("scale", "to_scale"),
    [
        ("net", lambda xy: (xy + 0.5) * np.array([432, 320]) / SIZE_WH - 0.5),
        ("unit", lambda xy: xy / (np.array(SIZE_WH) - 1)),
        ("signed", lambda xy: 2 * xy / (np.array(SIZE_WH) - 1) - 1),
    ],
)
def test_coordinates_and_candidates_come_at_the_scale_asked_for(tmp_path, blobs, scale, to_scale):
    job = plan_pictures(write_image(tmp_path / "photo.png", picture()), tmp_path / "out")
    detect_pictures(job, blobs, outputs=PictureOutputs(keypoint_scale=scale, part_candidates=True))
    path = tmp_path / "out/photo_keypoints.json"
    found, tolerance = people_of(path)[0], 1.0 if scale == "net" else 0.005
    np.testing.assert_allclose(found[:3, :2], to_scale(SPOTS), rtol=0, atol=tolerance)
    assert (found[3:] == 0).all()  # missing stays 0, 0, 0
    (candidates,) = json.loads(path.read_text())["part_candidates"]
    assert list(candidates) == [str(j) for j in range(18)]
    np.testing.assert_allclose(candidates["0"], found[0], rtol=0, atol=1e-9)
    assert candidates["9"] == []


def test_heatmaps_come_as_sheets_and_as_numbers_that_cover_the_image(tmp_path, blobs):
    job = plan_pictures(write_image(tmp_path / "photo.png", picture()), tmp_path / "out")
    detect_pictures(job, blobs, outputs=PictureOutputs(heatmaps=True))
    assert names_in(tmp_path / "out") == [
        "photo_affinity.png", "photo_confidence.png", "photo_keypoints.json", "photo_maps.npz", "photo_overlay.jpg",
    ]  # fmt: skip
    with np.load(tmp_path / "out/photo_maps.npz") as maps:
        assert maps["confidence"].shape == (19, 40, 54)
        assert maps["affinity"].shape == (38, 40, 54)
        assert maps["joints"].tolist() == list(COCO_18.joints)
        y, x = np.unravel_index(maps["confidence"][0].argmax(), (40, 54))
        cell = (np.array([x, y]) + 0.5) * maps["image_wh"] / [54, 40] - 0.5
    np.testing.assert_allclose(cell, SPOTS[0], rtol=0, atol=4)
    assert read_image(tmp_path / "out/photo_confidence.png").shape[1] > 900


def test_every_image_of_a_folder_gets_its_own_result(tmp_path, blobs):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(10):  # more than one batch
        write_image(folder / f"{i}.png", picture(shift=4 * i))
    write_image(folder / "0.bmp", np.zeros_like(picture()))
    (folder / "notes.txt").write_text("not a picture")
    shown = []
    job = plan_pictures(folder, tmp_path / "out")
    done = detect_pictures(job, blobs, progress=lambda *args: shown.append(args))
    assert done == (11, 10)
    assert shown == [("detect", 8, 11), ("detect", 11, 11)]
    assert len(names_in(tmp_path / "out")) == 22
    assert people_of(tmp_path / "out/0.bmp_keypoints.json") == []
    for i in range(1, 10):
        found = people_of(tmp_path / f"out/{i}_keypoints.json")
        np.testing.assert_allclose(found[0][:3, :2], SPOTS + np.array([4 * i, 0]), rtol=0, atol=0.7)
    assert len(plan_pictures(folder, tmp_path / "out", FrameRange(first=2, last=8, step=3)).images) == 3


def test_images_whose_names_differ_only_in_their_suffixes_get_results_of_their_own(tmp_path, blobs):
    names = {"a.jpg", "a.png", "a.jpg.png", "b.png"}
    (tmp_path / "photos").mkdir()
    for name in names:
        write_image(tmp_path / "photos" / name, picture())
    detect_pictures(plan_pictures(tmp_path / "photos", tmp_path / "out"), blobs)
    assert {f"{name}_overlay.jpg" for name in names} <= set(names_in(tmp_path / "out"))


def test_a_name_that_is_no_text_is_no_problem(tmp_path, blobs):
    folder = tmp_path / os.fsdecode(b"\xff\xfe")
    write_image(tmp_path / "a.png", picture())
    folder.mkdir()
    (tmp_path / "a.png").rename(folder / os.fsdecode(b"\xfd.png"))
    assert detect_pictures(plan_pictures(folder, folder / "out"), blobs).pictures == 1
    assert os.fsdecode(b"\xfd_overlay.jpg") in names_in(folder / "out")


def test_a_video_gets_json_for_each_frame_looked_at_and_one_overlay(tmp_path, blobs):
    video = write_video(tmp_path / "walk.mp4", [picture(shift=3 * i) for i in range(30)])
    job = plan_pictures(video, tmp_path / "out", FrameRange(first=2, last=26, step=2))
    done = detect_pictures(job, blobs)
    assert done == (13, 13)
    frames = list(range(2, 27, 2))
    assert names_in(tmp_path / "out") == [*(f"walk_{i:012d}_keypoints.json" for i in frames), "walk_overlay.mp4"]
    for i in frames:
        found = people_of(tmp_path / f"out/walk_{i:012d}_keypoints.json")
        np.testing.assert_allclose(found[0][:3, :2], SPOTS + np.array([3 * i, 0]), rtol=0, atol=1.0)
    with av.open(str(tmp_path / "out/walk_overlay.mp4")) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(10)
        assert sum(1 for _ in container.decode(video=0)) == 13


def test_what_scores_too_little_is_not_drawn(tmp_path, blobs):
    image = write_image(tmp_path / "photo.png", picture())
    detect_pictures(plan_pictures(image, tmp_path / "out"), blobs, outputs=PictureOutputs(render_threshold=1.0))
    overlay = read_image(tmp_path / "out/photo_overlay.jpg").astype(int)
    assert np.abs(overlay - picture()).max() < 60


def test_the_command_takes_a_file_of_another_joint_set(run, tmp_path, model):
    photos = tmp_path / "photos"
    photos.mkdir()
    write_image(photos / "a.jpg", picture())
    status, out, err = run(
        "detect", photos, "--out", tmp_path / "out", "--model", model, "--device", "cpu,cpu", "--precision", "float32",
        "--net-size", "-1x96", "--threads", "1", "--part-candidates", "--heatmaps",
    )  # fmt: skip
    assert status == 0, err
    assert "1 people in 1 images" in out
    found = people_of(tmp_path / "out/a_keypoints.json")
    assert [one.shape for one in found] == [(25, 3)]
    np.testing.assert_allclose(found[0][:, 2], 0.5, rtol=0, atol=1e-3)


@pytest.fixture
def session(run, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    rig = ring(2)
    for name in rig.names:
        write_video(videos / f"{name}.mp4", [np.full((108, 192, 3), 9 * i, np.uint8) for i in range(12)])
    save_rig(rig, tmp_path / "rig.yaml")
    status, _, err = run("session", "new", tmp_path / "s", "--videos", videos, "--rig", tmp_path / "rig.yaml")
    assert status == 0, err
    return tmp_path / "s"


def test_sets_that_are_not_looked_at_stay_missing_and_3d_copes(run, session, model):
    status, out, err = run(
        "detect", session, "--model", model, "--frame-first", "1", "--frame-last", "9", "--frame-step", "4",
        "--net-size", "96", "--people-max", "3", "--keep-threshold", "0.1",
    )  # fmt: skip
    assert status == 0, err
    assert "6 people in 3 frame sets of 2 cameras" in out
    opened = Session.open(session)
    detections = opened.detections()
    assert detections.skeleton.name == "body_25"
    seen = (detections.keypoints[..., 2] > 0).any(axis=(1, 2, 3))
    assert np.flatnonzero(seen).tolist() == [1, 5, 9]
    assert np.isnan(detections.keypoints[~seen][..., 0]).all()
    settings = opened.info.runs[-1].settings
    assert {key: settings[key] for key in ("network", "frame_first", "frame_last", "frame_step", "most_people")} == {
        "network": "corner", "frame_first": 1, "frame_last": 9, "frame_step": 4, "most_people": 3,
    }  # fmt: skip
    status, _, err = run("triangulate", session)
    assert status == 0, err
    motion = Session.open(session).motion()
    assert motion.points.X.shape[0] == 12
    assert not motion.gap.any()


@pytest.mark.parametrize("step", [5, 25])
def test_somebody_seen_in_every_few_sets_keeps_the_identity_and_is_nowhere_else(step):
    rig, rng = ring(4), np.random.default_rng(3)
    body = rng.uniform([-0.3, -0.3, 0.1], [0.3, 0.3, 1.8], (len(BODY_25), 3))
    truth = body + np.linspace(0, 2, 100)[:, None, None] * np.array([1.0, 0, 0])
    keypoints = np.full((100, 4, 1, len(BODY_25), 3), np.nan)
    keypoints[..., 2] = 0
    keypoints[::step, :, 0, :, :2] = np.moveaxis(project_rig(rig, truth[::step]), 0, 1)
    keypoints[::step, :, 0, :, 2] = 0.9
    detections = Detections2D(BODY_25, tuple(rig.names), keypoints)
    no_filling = PeopleOptions(over_time=OverTimeOptions(longest_gap_s=0))
    motion = triangulate_people(rig, detections, np.arange(100) / 30, options=no_filling).motion
    assert len(motion.ids) == 1
    np.testing.assert_allclose(motion.points.X[::step, 0], truth[::step], rtol=0, atol=1e-4)
    assert motion.found[np.arange(100) % step != 0].sum() == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--net-size", "x"), ("--net-size", "656x"), ("--net-size", "1x2x3"), ("--net-size", "-1x-1"),
        ("--net-size", "9"), ("--scales", ""), ("--scales", "1,huge"), ("--rotations", "nan"), ("--rotations", "0,360"),
        ("--precision", "int4"), ("--device", "abacus"), ("--device", "cpu,abacus"), ("--threads", "0"),
        ("--method", "magic"), ("--people-max", "-1"), ("--keep-threshold", "2"), ("--render-threshold", "-1"),
        ("--frame-first", "1"), ("--frame-step", "0"), ("--frame-first", "5", "--frame-last", "4"),
        ("--keypoint-scale", "inches"), ("--quality", "superb"), ("--hand-keep-threshold", "2"), ("--hand-scales", "0"),
        ("--face-render-threshold", "-1"), ("--no-body", "--no-feet"),
        ("--hands", "--hand-model", "foot"), ("--model", "nothing-like-it"), ("--model", "gone.safetensors"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_impossible_option_is_one_line_and_nothing_is_written(run, tmp_path, monkeypatch, model, options):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photo.png", picture())
    chosen = options if "--model" in options else ("--model", model, *options)
    status, _, err = run("detect", "photo.png", *chosen)
    assert status == 2
    one_line(err)
    assert names_in(tmp_path) == ["photo.png"]


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "folder"])
def test_an_unreadable_image_is_named_before_anything_is_written(run, tmp_path, damage):
    photos = tmp_path / "photos"
    photos.mkdir()
    write_image(photos / "a.jpg", picture())
    broken = photos / "b.jpg"
    data = (photos / "a.jpg").read_bytes()
    broken.write_bytes({"empty": b"", "text": b"no picture", "cut": data[: len(data) // 2], "folder": data}[damage])
    if damage == "folder":
        for path in photos.iterdir():
            path.unlink()
    status, _, err = run("detect", photos, "--out", tmp_path / "out")
    assert status == 2
    assert ("photos" if damage == "folder" else "b.jpg") in one_line(err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["notes.txt", "broken.mp4", "gone.jpg"])
def test_what_is_no_picture_is_refused(run, tmp_path, name):
    if not name.startswith("gone"):
        (tmp_path / name).write_text("words")
    status, _, err = run("detect", tmp_path / name, "--out", tmp_path / "out")
    assert (status, name in one_line(err), (tmp_path / "out").exists()) == (2, True, False)


def test_results_do_not_go_among_the_images_nor_into_a_file(run, tmp_path):
    write_image(tmp_path / "photo.png", picture())
    for out in (tmp_path, tmp_path / "photo.png"):
        status, _, err = run("detect", tmp_path, "--out", out)
        assert (status, "--out" in one_line(err)) == (2, True)
    assert names_in(tmp_path) == ["photo.png"]


@pytest.mark.parametrize(
    "options",
    [
        ("--heatmaps",),
        ("--part-candidates",),
        ("--keypoint-scale", "unit"),
        ("--out", "x"),
        ("--coco-json",),
        ("--no-body",),
    ],
)  # fmt: skip
def test_options_of_pictures_are_refused_for_a_session(run, session, monkeypatch, tmp_path, options):
    monkeypatch.chdir(tmp_path)
    status, _, err = run("detect", session, *options)
    assert (status, "session" in one_line(err)) == (2, True)
    assert not (session / "keypoints2d.parquet").exists()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("options", "count", "expected"),
    [
        ({}, 3, [0, 1, 2]),
        ({"step": 2}, 5, [0, 2, 4]),
        ({"first": 1, "last": 3}, 9, [1, 2, 3]),
        ({"last": 99}, 2, [0, 1]),
    ],
)
def test_a_frame_range_includes_both_ends_that_exist(options, count, expected):
    assert list(FrameRange(**options).of(count, "video")) == expected


def test_a_recording_that_ends_before_the_first_frame_is_named():
    with pytest.raises(InputError, match=r"walk\.mp4: has frames 0 to 4, the first one wanted is 5"):
        FrameRange(first=5).of(5, "walk.mp4")


@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (40, 3)])
def test_a_tiny_picture_is_a_picture(tmp_path, shape):
    path = tmp_path / "tiny.png"
    cv2.imwrite(str(path), np.full((*shape, 3), 90, np.uint8))
    assert read_image(path, quick=True).ndim == 2
    assert read_image(path).shape == (*shape, 3)


def test_candidates_are_numbered_as_the_joints_of_the_result(blobs):
    """The body network's numbers differ from joint 8 on: its right hip is BODY_25's 9th, whose 8th is the mid-hip."""

    class Feet(WholeBodyDetector):
        skeleton = BODY_25

    confidence = np.zeros((19, 20, 20), np.float32)
    hip, eye = COCO_18.index("RHip"), COCO_18.index("REye")
    confidence[hip, 5, 5] = confidence[eye, 9, 9] = 0.8
    layout = layout_of(COCO_18)
    maps = HeatMaps(confidence, np.zeros((2 * len(layout.limbs), 20, 20), np.float32), layout, (160, 160))
    candidates = _candidates(maps, Feet(blobs.detector, PAF_ALONE))
    assert [BODY_25.joints[part] for part in candidates.part] == ["RHip", "REye"]
    assert candidates.part.tolist() != [hip, eye]


def test_hands_are_looked_for_with_the_bodys_network_only(run, tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photo.png", picture())
    status, _, err = run("detect", "photo.png", "--hands", "--hand-model", "foot", "--model", model)
    assert (status, "foot" in one_line(err)) == (2, True)
    assert names_in(tmp_path) == ["photo.png"]
