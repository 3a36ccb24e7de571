import numpy as np

from triskel.detect2d.parts import HandTracker, hand_boxes
from triskel.skeleton import BODY_25


def bodies(*wrists):
    people = np.full((len(wrists), 25, 3), (np.nan, np.nan, 0.0))
    for person, (x, y) in zip(people, wrists, strict=True):
        for name, dy in (("RShoulder", -200), ("RElbow", -100), ("RWrist", 0)):
            person[BODY_25.index(name)] = x, y + dy, 0.9
    return people


def hand(x, y, *, score=0.9):
    """Return a hand that hangs from its wrist at (x, y): 40 px wide, 80 px long."""
    points = np.full((21, 3), (x, y + 40.0, score))
    points[0, :2] = x, y
    points[1, :2], points[2, :2], points[3, :2] = (x - 20, y + 40), (x + 20, y + 40), (x, y + 80)
    return points


def boxes_of(tracker, people, stream="cam01"):
    fresh = hand_boxes(people, BODY_25)
    return tracker.boxes(stream, fresh, people, BODY_25)["right_hand"], fresh["right_hand"]


def test_a_hand_that_was_seen_well_gives_the_next_box():
    tracker = HandTracker()
    tracker.update("cam01", {"right_hand": hand(300, 300)[None]})
    boxes, _ = boxes_of(tracker, bodies((310, 300)))
    assert np.allclose(boxes.centre, [[300, 340]])
    assert np.allclose(boxes.side, 240)
    assert np.allclose(np.abs(boxes.angle_rad), np.pi)


def test_people_in_another_order_keep_their_hands():
    tracker = HandTracker()
    tracker.update("cam01", {"right_hand": np.stack([hand(300, 300), hand(600, 300)])})
    boxes, _ = boxes_of(tracker, bodies((605, 300), (305, 300)))
    assert np.allclose(boxes.centre[:, 0], (600, 300))


def test_a_hand_seen_badly_or_far_from_the_wrist_or_in_another_stream_gives_none():
    for score, x, stream in ((0.66, 300, "cam01"), (0.9, 381, "cam01"), (0.9, 300, "cam02")):
        tracker = HandTracker()
        tracker.update(stream, {"right_hand": hand(x, 300, score=score)[None]})
        boxes, fresh = boxes_of(tracker, bodies((300, 300)))
        assert np.array_equal(boxes.centre, fresh.centre)
        assert np.array_equal(boxes.side, fresh.side)


def test_a_wrist_without_an_elbow_gets_the_old_box():
    people = bodies((300, 300))
    people[0, BODY_25.index("RElbow")] = np.nan, np.nan, 0
    tracker = HandTracker()
    tracker.update("cam01", {"right_hand": hand(300, 300)[None]})
    boxes, fresh = boxes_of(tracker, people)
    assert np.isnan(fresh.side).all()
    assert np.allclose(boxes.side, 240)


def test_a_hand_missing_for_a_frame_is_forgotten():
    tracker = HandTracker()
    tracker.update("cam01", {"right_hand": hand(300, 300)[None]})
    tracker.update("cam01", {"right_hand": np.full((1, 21, 3), (np.nan, np.nan, 0.0))})
    boxes, fresh = boxes_of(tracker, bodies((300, 300)))
    assert np.array_equal(boxes.centre, fresh.centre)
    tracker.update("cam01", {"right_hand": hand(300, 300)[None]})
    tracker.forget("cam01")
    assert np.array_equal(boxes_of(tracker, bodies((300, 300)))[0].centre, fresh.centre)


def test_only_points_seen_well_enough_make_the_box():
    one = hand(300, 300)
    one[20] = 700, 700, 0.2
    tracker = HandTracker()
    tracker.update("cam01", {"right_hand": one[None]})
    assert np.allclose(boxes_of(tracker, bodies((300, 300)))[0].side, 240)
