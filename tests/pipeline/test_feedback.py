"""A second look where the people in 3D say that one is due: where, at what, and what becomes of what it finds."""

import numpy as np
import pytest

from triskel import Camera, InputError, Rig, Rigid, project
from triskel.keypoints import missing_points
from triskel.motion import Detections2D, Motion3D
from triskel.pipeline.feedback.expectation import (
    FACE_BOX_M,
    HAND_BOX,
    NEAR_S,
    faces_in_space,
    faces_the_camera,
    hands_in_space,
    in_image,
    px_per_m,
)
from triskel.pipeline.feedback.looks import Looker
from triskel.pipeline.feedback.plan import FeedbackOptions, find_rows, make_plan, put_right
from triskel.projection import project_rig
from triskel.skeleton import WHOLE_BODY_135
from triskel.triangulate import People3D
from triskel.whole_body import parts_of

PLACES = parts_of(WHOLE_BODY_135)
at = WHOLE_BODY_135.index
FLIPS = list(WHOLE_BODY_135.flips)
BODY = {
    "Nose": (0, 0.10, 1.62), "Neck": (0, 0, 1.45), "MidHip": (0, 0, 0.95),
    "Shoulder": (0.18, 0, 1.45), "Elbow": (0.22, 0, 1.15), "Wrist": (0.24, 0, 0.90), "Hip": (0.10, 0, 0.95),
    "Knee": (0.11, 0, 0.52), "Ankle": (0.11, 0, 0.10), "Eye": (0.03, 0.09, 1.65), "Ear": (0.07, 0, 1.64),
    "BigToe": (0.10, 0.18, 0.04), "SmallToe": (0.15, 0.16, 0.04), "Heel": (0.11, -0.05, 0.04),
}  # fmt: skip
FOREARM_M = float(np.linalg.norm(np.subtract(BODY["Elbow"], BODY["Wrist"])))


def somebody(place=(0.0, 0.0)):
    """Return the 135 joints of somebody who stands at `place` and looks along +y, so that right is at +x, m."""
    X = np.full((135, 3), np.nan)
    for j, joint in enumerate(WHOLE_BODY_135.joints[:25]):
        side, name = (1, joint) if joint in BODY else ({"L": -1, "R": 1}[joint[0]], joint[1:])
        X[j] = np.multiply(BODY[name], (side, 1, 1))
    fingers = np.array([[0.0, 0.04 - 0.02 * finger, -0.07 - 0.028 * i] for finger in range(5) for i in range(4)])
    X[PLACES["left_hand"]], X[PLACES["right_hand"]] = X[at("LWrist")] + fingers, X[at("RWrist")] + fingers
    X[PLACES["face"]] = X[at("Nose")] + np.random.default_rng(1).uniform(-0.06, 0.06, (70, 3)) * (1, 0.1, 1)
    return X + np.array([*place, 0])


def ring(n=4):
    """Return `n` cameras 4 m around (0, 0, 1), the first of them at +y."""
    cameras = []
    for i in range(n):
        a = np.pi / 2 + 2 * np.pi * i / n
        centre = np.array([4 * np.cos(a), 4 * np.sin(a), 1.5])
        z = np.array([0, 0, 1.0]) - centre
        z /= np.linalg.norm(z)
        x = np.cross(z, [0, 0, 1.0])
        x /= np.linalg.norm(x)
        R = np.stack([x, np.cross(z, x), z])
        K = np.array([[900.0, 0, 639.5], [0, 900.0, 511.5], [0, 0, 1]])
        cameras.append(Camera(name=f"c{i}", size_wh=(1280, 1024), K=K, cam_from_world=Rigid(R, -R @ centre)))
    return Rig(tuple(cameras))


def scene(X, rig, *, views=True, fps=50.0):
    """Return people (F, N, 135, 3) as every camera saw them, and the detections: person n is detection n."""
    F, N = X.shape[:2]
    points = missing_points((F, N, 135), len(rig))._replace(X=X)
    points = points._replace(views=np.broadcast_to(views, points.views.shape).copy())
    motion = Motion3D(
        WHOLE_BODY_135, tuple(rig.names), np.arange(F) / fps, np.arange(N), points, np.zeros(X.shape[:3], bool)
    )
    xy = np.moveaxis(project_rig(rig, X), 0, 1)
    observed = np.concatenate([xy, np.where(np.isnan(xy[..., :1]), 0.0, 0.8)], axis=-1)
    return People3D(motion, observed, motion), Detections2D(WHOLE_BODY_135, tuple(rig.names), observed.copy())


def forget(people, detections, where):
    """Make the detections at `where` missing, for triangulation too."""
    people.observed[where] = detections.keypoints[where] = np.nan, np.nan, 0


def plan_of(rig, in_space, detections, there=None, **options):
    there = np.ones(detections.keypoints.shape[:2], bool) if there is None else there
    return make_plan(rig, in_space, detections, there, FeedbackOptions(**options))


# Where to look


def test_a_hand_has_its_size_also_where_the_forearm_points_at_the_camera():
    X = somebody()
    front = ring()["c0"]
    hand = hands_in_space(scene(X[None, None], ring())[0].motion, "right_hand")
    expected = HAND_BOX * FOREARM_M * px_per_m(front, hand.centre)
    np.testing.assert_allclose(in_image(front, hand).side, expected, rtol=1e-12)
    # The same forearm pointing at the camera: from 57 px it shrinks to less than 12, and the box stays.
    raised = X.copy()
    raised[at("RWrist")] = X[at("RElbow")] + (0, FOREARM_M * 0.995, 0.1 * FOREARM_M)
    raised[PLACES["right_hand"]] = np.nan
    boxes = in_image(front, hands_in_space(scene(raised[None, None], ring())[0].motion, "right_hand"))
    seen_px = np.linalg.norm(project(front, raised[at("RWrist")]) - project(front, raised[at("RElbow")]))
    assert seen_px < 12
    assert boxes.side[0, 0] == pytest.approx(float(expected[0, 0]), rel=0.12)


def test_px_per_m_is_the_focal_length_over_the_depth():
    camera = ring()["c0"]
    on_axis = camera.cam_from_world.inverse.apply(np.array([0, 0, 3.0]))
    np.testing.assert_allclose(px_per_m(camera, on_axis), 900 / 3, rtol=1e-9)


def test_a_hand_is_looked_for_where_it_was_a_moment_ago_and_then_where_the_forearm_points():
    X = np.repeat(somebody()[None, None], 40, axis=0)
    X[:, :, PLACES["left_hand"]] += (0, 0.05, 0.04)  # bent at the wrist
    middle = X[0, 0, PLACES["left_hand"]].mean(axis=0)
    X[1:, :, PLACES["left_hand"]] = np.nan
    motion = scene(X, ring(), fps=50.0)[0].motion
    centre = hands_in_space(motion, "left_hand").centre[:, 0]
    near = motion.time_s <= NEAR_S
    np.testing.assert_allclose(centre[near], np.broadcast_to(middle, (near.sum(), 3)), atol=1e-12)
    wrist, elbow = X[0, 0, at("LWrist")], X[0, 0, at("LElbow")]
    np.testing.assert_allclose(centre[~near], np.tile(wrist + 0.33 * (wrist - elbow), ((~near).sum(), 1)), atol=1e-12)


def test_the_box_of_a_face_is_upright_and_only_due_where_the_head_looks():
    rig = ring()
    motion = scene(somebody()[None, None], rig)[0].motion
    faces = faces_in_space(motion)
    assert [bool(faces_the_camera(camera, faces)[0, 0]) for camera in rig] == [True, True, False, True]
    boxes = in_image(rig["c0"], faces)
    assert abs(boxes.angle_rad[0, 0]) < 0.01
    assert boxes.side[0, 0] == pytest.approx(FACE_BOX_M * 900 / 4, rel=0.05)
    nose = project(rig["c0"], somebody()[at("Nose")])
    assert np.linalg.norm(boxes.centre[0, 0] - nose) < 0.2 * boxes.side[0, 0]


def test_nobody_and_unknown_joints_give_no_boxes():
    rig = ring()
    nobody = scene(np.zeros((3, 0, 135, 3)), rig)
    assert not plan_of(rig, *nobody).images.any()
    unknown = scene(np.full((3, 1, 135, 3), np.nan), rig)
    assert np.isnan(in_image(rig["c0"], hands_in_space(unknown[0].motion, "left_hand")).side).all()
    assert not plan_of(rig, *unknown).images.any()


# What is due


def test_a_camera_that_missed_a_person_looks_again_where_it_has_an_image_and_the_person_is_in_it():
    rig = ring()
    X = np.stack([somebody(), somebody(), somebody((0.0, 9.0))])[:, None]  # at last beside the picture
    people, detections = scene(X, rig)
    forget(people, detections, np.s_[:, 1])
    forget(people, detections, np.s_[1])
    there = np.ones((3, 4), bool)
    plan = plan_of(rig, people, detections, there, hands=False, faces=False)
    # In the second set nobody saw the person: what 3D has there was interpolated.
    assert plan.people[:, :, 0].tolist() == [[False, True, False, False], [False] * 4, [False] * 4]
    there[0, 1] = False
    assert not plan_of(rig, people, detections, there, hands=False, faces=False).images.any()


def test_hands_are_due_where_3d_did_not_use_them_until_there_are_views_enough():
    rig = ring(6)
    views = np.ones((1, 1, 135, 6), bool)
    views[:, :, PLACES["left_hand"], 2:] = False
    views[:, :, PLACES["right_hand"], 4:] = False
    people, detections = scene(somebody()[None, None], rig, views=views)
    plan = plan_of(rig, people, detections, faces=False)
    assert plan.parts["left_hand"].wanted[0, :, 0].tolist() == [False, False, True, True, True, True]
    assert not plan.parts["right_hand"].wanted.any()
    assert plan.trusted[0, :, 0].tolist() == [[True, True]] * 2 + [[False, True]] * 2 + [[False, False]] * 2
    assert set(plan.parts) == {"left_hand", "right_hand"}


def test_each_person_is_found_again_among_the_detections_with_left_and_right_exchanged_too():
    rig = ring()
    people, detections = scene(np.stack([somebody(), somebody((0.9, 0.4))])[None], rig)
    detections.keypoints[0, 2] = detections.keypoints[0, 2, ::-1]
    forget(people, detections, np.s_[0, 3, 1])
    people.observed[0, 1, 0] = people.observed[0, 1, 0, FLIPS]
    rows = find_rows(people.observed, detections)
    assert rows[0].tolist() == [[0, 1], [0, 1], [1, 0], [0, -1]]
    better = put_right(detections, people.observed, rows)
    np.testing.assert_array_equal(better.keypoints[0, 1, 0], detections.keypoints[0, 1, 0, FLIPS])
    unchanged = np.ones((4, 2), bool)
    unchanged[1, 0] = False
    np.testing.assert_array_equal(better.keypoints[0][unchanged], detections.keypoints[0][unchanged])


def test_an_arm_alone_is_put_right_and_a_joint_that_lost_its_partner_changes_nothing():
    rig = ring()
    people, detections = scene(somebody()[None, None], rig)
    arm = [at("LElbow"), at("RElbow")]
    people.observed[0, 0, 0, arm] = people.observed[0, 0, 0, arm[::-1]]
    people.observed[0, 1, 0, arm[0]] = people.observed[0, 1, 0, arm[1]]
    rows = find_rows(people.observed, detections)
    better = put_right(detections, people.observed, rows)
    np.testing.assert_array_equal(better.keypoints[0, 0, 0, arm], detections.keypoints[0, 0, 0, arm[::-1]])
    np.testing.assert_array_equal(better.keypoints[0, 1:], detections.keypoints[0, 1:])


# What becomes of what is found


class Says:
    """A network whose answer is known beforehand: points for each square, by the middle of the square."""

    def __init__(self, *answers):
        self.answers, self.squares = answers, 0

    def __call__(self, images_rgb, crops):
        self.squares += len(crops)
        centres = np.array([np.nanmean(answer[:, :2], axis=0) for answer in self.answers])
        nearest = np.linalg.norm(crops.centre[:, None] - centres[None], axis=-1).argmin(axis=1)
        return np.stack([self.answers[i] for i in nearest])


class Parts:
    """A detector of hands alone, as much of one as a look at hands takes."""

    pose, face = None, None

    def __init__(self, hands):
        self.hands, self.parts = hands, self
        self.least_hand_score = self.least_face_score = 0.0


def hand_seen(camera, X, side, score=0.9):
    joints = np.r_[at("LWrist" if side == "left_hand" else "RWrist"), PLACES[side]]
    return np.c_[project(camera, X[joints]), np.full(21, score)]


def look_at_hands(rig, people, detections, *answers, camera=0):
    looker = Looker(Parts(Says(*answers)), detections, plan_of(rig, people, detections, people=False, faces=False))
    images = [np.zeros((1024, 1280, 3), np.uint8)]
    looker.look(np.array([0]), np.array([camera]), images)
    return looker


def test_a_hand_that_a_camera_missed_comes_back():
    rig, X = ring(), somebody()
    views = np.ones((1, 1, 135, 4), bool)
    views[:, :, PLACES["left_hand"], 0] = False
    people, detections = scene(X[None, None], rig, views=views)
    people_px = detections.keypoints.copy()
    forget(people, detections, np.s_[0, 0, 0, PLACES["left_hand"]])
    # With three views the fourth is due; the other hand has four.
    looker = look_at_hands(rig, people, detections, hand_seen(rig["c0"], X, "left_hand"))
    assert looker.detector.hands.squares == 1
    assert looker.counts[2:4] == [1, 1]
    np.testing.assert_allclose(looker.detections().keypoints[..., :2], people_px[..., :2], atol=1e-9)


def test_one_hand_of_the_image_is_not_taken_for_both():
    rig, X = ring(), somebody()
    X[at("LWrist")] = X[at("RWrist")] + (0.03, 0.03, 0.03)  # folded
    views = np.ones((1, 1, 135, 4), bool)
    views[:, :, PLACES["left_hand"], 0] = False
    people, detections = scene(X[None, None], rig, views=views)
    forget(people, detections, np.s_[0, 0, 0, PLACES["left_hand"]])
    looker = look_at_hands(rig, people, detections, hand_seen(rig["c0"], X, "right_hand"))
    assert looker.counts[2:4] == [1, 0]
    assert not (looker.detections().keypoints[0, 0, 0, PLACES["left_hand"], 2] > 0).any()
    # Where 3D had rejected the other one, nothing says that it was that one's.
    people.motion.points.views[:, :, PLACES["right_hand"], 0] = False
    looker = look_at_hands(rig, people, detections, hand_seen(rig["c0"], X, "right_hand", 0.7))
    assert looker.counts[2:4] == [2, 1]


def test_a_found_person_takes_a_free_place_or_makes_one_and_a_known_one_is_left_out():
    rig, X = ring(), np.stack([somebody(), somebody((0.9, 0.4))])[None]
    people, detections = scene(X, rig)
    seen = detections.keypoints[0, 0].copy()
    looker = Looker(Parts(None), detections, plan_of(rig, people, detections))
    assert looker._known(0, 0, seen[1, :25])
    forget(people, detections, np.s_[0, 0, 1])
    looker = Looker(Parts(None), detections, plan_of(rig, people, detections))
    assert not looker._known(0, 0, seen[1, :25])
    assert [looker._add(0, 0, seen[1, :25]), looker._add(0, 0, seen[1, :25])] == [1, 2]
    keypoints = looker.detections().keypoints
    assert keypoints.shape == (1, 4, 3, 135, 3)
    np.testing.assert_array_equal(keypoints[0, 0, 2, :25], seen[1, :25])
    np.testing.assert_array_equal(keypoints[0, 1:, :2], detections.keypoints[0, 1:])
    assert not (keypoints[0, 1:, 2, :, 2] > 0).any()
    assert not (keypoints[0, 0, 1:, 25:, 2] > 0).any()


@pytest.mark.parametrize("wrong", [{"enough_views": 0}, {"images": 0}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        FeedbackOptions(**wrong)
