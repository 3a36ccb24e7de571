"""A second look at real footage out of which a part of the first one was taken: it comes back."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from triskel import InputError, pipeline
from triskel.detect2d import load_whole_body, suited_whole_body
from triskel.detect2d.quality import suited_quality
from triskel.pipeline.feedback import FeedbackOptions, improve_detections
from triskel.pipeline.feedback.plan import find_rows
from triskel.pipeline.frames import FrameRange
from triskel.samples import get_sample
from triskel.skeleton import BODY_25
from triskel.triangulate import triangulate_people
from triskel.whole_body import parts_of

pytestmark = [pytest.mark.slow, pytest.mark.network]

FRAMES = 24


@pytest.fixture(scope="module")
def detector():
    preset = suited_quality("body", recording=True)
    parts = suited_whole_body("body", quality=preset)
    return load_whole_body("body", options=preset.detect_options(), parts=parts)


@pytest.fixture(scope="module")
def first_look(tmp_path_factory):
    """The session of one second of the sample `single`, its detections, and the people out of them."""
    logging.disable(logging.WARNING)
    source = get_sample("single")
    rig = pipeline.load_rig(source / "Calib.qca.txt")
    session = pipeline.new_session(tmp_path_factory.mktemp("feedback") / "single", source / "videos", rig=rig)
    session = pipeline.detect(session, frames=FrameRange(last=FRAMES - 1))
    detections = session.detections()
    people = triangulate_people(session.rig(), detections, session.frames()[0])
    logging.disable(logging.NOTSET)
    return session, detections, people


def look_again(session, detector, detections, **options):
    """Return the second look at a session whose first one saw `detections`, and its counts."""
    session.save_detections(detections)
    people = triangulate_people(session.rig(), detections, session.frames()[0])
    return improve_detections(session, people, detector, session.rig(), options=FeedbackOptions(**options))


def same_or_exchanged(keypoints, detections):
    """Return (F, C, N, J) True where a joint is what it was, or its mirror image: 3D puts left and right right."""
    flips = list(detections.skeleton.flips)
    before = detections.keypoints, detections.keypoints[..., flips, :]
    same, mirrored = (((keypoints == one) | (np.isnan(keypoints) & np.isnan(one))).all(axis=-1) for one in before)
    return same | mirrored


def test_a_person_whom_a_camera_missed_in_half_of_the_frames_comes_back(first_look, detector):
    session, detections, people = first_look
    camera, frames = 1, np.arange(0, FRAMES, 2)
    rows = find_rows(people.observed, detections)[frames, camera, 0]
    assert (rows >= 0).all()
    taken = detections.keypoints[frames, camera, rows]
    keypoints = detections.keypoints.copy()
    keypoints[frames, camera, rows] = np.nan, np.nan, 0
    better, counts = look_again(session, detector, replace(detections, keypoints=keypoints), hands=False, faces=False)
    assert counts.people_looked_for >= len(frames)
    body = slice(0, len(BODY_25))
    found = better.keypoints[frames, camera]
    apart = np.linalg.norm(found[:, :, body, :2] - taken[:, None, body, :2], axis=-1)
    # An empty place is as far away as can be.
    back = np.nanmedian(np.where((found[..., body, 2] > 0).any(axis=-1, keepdims=True), apart, 1e4), axis=-1).min(
        axis=1
    )
    print(f"{counts}; distance to what was taken, px: {np.round(back, 1)}")
    assert counts.people >= 0.9 * len(frames)
    # 4 cm; the first look had the body network's opinion besides.
    assert np.median(back) <= 20
    others = np.setdiff1d(np.arange(FRAMES), frames)
    assert same_or_exchanged(better.keypoints, detections)[others].all()


def test_a_hand_that_a_camera_missed_comes_back(first_look, detector):
    session, detections, people = first_look
    hand = parts_of(detections.skeleton)["left_hand"]
    used = people.motion.points.views[:, 0, hand].mean(axis=1) >= 0.8
    camera = int(used[:FRAMES].sum(axis=0).argmax())
    # A hand that two other cameras have too, so that 3D still knows it.
    frames = np.flatnonzero(used[:, camera] & (used.sum(axis=1) >= 3))[::2]
    assert len(frames) >= 3
    rows = find_rows(people.observed, detections)[frames, camera, 0]
    taken = detections.keypoints[frames, camera, rows][:, hand]
    keypoints = detections.keypoints.copy()
    keypoints[frames[:, None], camera, rows[:, None], hand] = np.nan, np.nan, 0
    better, counts = look_again(session, detector, replace(detections, keypoints=keypoints), people=False, faces=False)
    again = better.keypoints[frames, camera, rows][:, hand]
    apart = np.nanmedian(np.linalg.norm(again[..., :2] - taken[..., :2], axis=-1), axis=-1)
    print(f"camera {camera}, {len(frames)} hands; {counts}; distance to what was taken, px: {np.round(apart, 1)}")
    assert np.isfinite(apart).mean() >= 0.9
    assert np.nanmedian(apart) <= 6  # of a hand some 60 px large
    body = parts_of(detections.skeleton)["body"]
    assert same_or_exchanged(better.keypoints, detections)[..., body].all()


def test_two_looks_at_the_same_are_the_same_and_more_hands_are_in_3d(first_look, detector):
    session, detections, people = first_look
    better, counts = look_again(session, detector, detections)
    once_more, _ = look_again(session, detector, detections)
    np.testing.assert_array_equal(better.keypoints, once_more.keypoints)
    now = triangulate_people(session.rig(), better, session.frames()[0])
    hands = [parts_of(detections.skeleton)[side] for side in ("left_hand", "right_hand")]
    before, after = (
        np.stack([one.motion.found[:FRAMES, 0, hand].sum(axis=1) >= 10 for hand in hands]).all(axis=0).mean()
        for one in (people, now)
    )
    print(f"{counts}; both hands in 3D: {before:.2f}, after the second look {after:.2f}")
    assert after >= before
    assert counts.hands > 0
    assert now.motion.found[:FRAMES, :, :25].sum() >= people.motion.found[:FRAMES, :, :25].sum()


def test_people_of_other_joints_are_refused(first_look, detector):
    session, detections, _ = first_look
    bodies = replace(detections, skeleton=BODY_25, keypoints=detections.keypoints[..., :25, :])
    people = triangulate_people(session.rig(), bodies, session.frames()[0])
    with pytest.raises(InputError, match="detections are of whole_body_135, the people of body_25"):
        improve_detections(session, people, detector, session.rig())
