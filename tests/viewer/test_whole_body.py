import numpy as np
import pytest

from triskel import JobError, Motion3D, Rig, project
from triskel.projection import project_rig
from triskel.skeleton import WHOLE_BODY_135
from triskel.tables import missing_points
from triskel.viewer import figures, render, report, solids, summary, view
from triskel.whole_body import parts_of

PARTS = parts_of(WHOLE_BODY_135)
NAMES = ("left", "right")
F = 4


def make_rig():
    made = [view.camera_at(eye, np.array((0, 0, 1.0)) - eye, (640, 480)) for eye in ((4.0, -1, 1.6), (1.0, 4, 1.6))]
    return Rig(tuple(camera.replace(name=name) for name, camera in zip(NAMES, made, strict=True)))


@pytest.fixture
def motion():
    """One person, whose hands are 0.1 m boxes of points and whose face is a 0.14 m ring; no small toes."""
    rng = np.random.default_rng(0)
    points = missing_points((F, 1, 135), 2)
    X = rng.uniform((-0.3, -0.3, 0.2), (0.3, 0.3, 1.5), (135, 3))
    for part, at in (("left_hand", (0, -0.5, 0.9)), ("right_hand", (0, 0.5, 0.9))):
        X[PARTS[part]] = at + rng.uniform(-0.05, 0.05, (20, 3))
    angle = np.linspace(0, 2 * np.pi, 70)
    X[PARTS["face"]] = np.c_[np.full(70, 0.1), 0.07 * np.cos(angle), 1.65 + 0.07 * np.sin(angle)]
    points.X[:], points.score[:], points.views[:] = X, 1, True
    small_toes = [WHOLE_BODY_135.index(joint) for joint in ("LSmallToe", "RSmallToe")]
    points.X[..., small_toes, :], points.score[..., small_toes] = np.nan, 0
    points.views[..., small_toes, :] = False
    return Motion3D(WHOLE_BODY_135, NAMES, np.arange(F) / 25, np.array([1]), points, np.zeros((F, 1, 135), bool))


def summarised(motion):
    """Return the summary where every view of the body is 5 px off, of the hands 2 px, of the face 1 px."""
    xy = np.moveaxis(project_rig(make_rig(), motion.points.X), 0, 1)
    off = np.repeat([5.0, 2.0, 1.0], [25, 40, 70])
    observed = np.concatenate([xy + off[:, None] * (0.6, 0.8), np.ones((*xy.shape[:-1], 1))], axis=-1)
    return summary.summarise(motion, make_rig(), observed=observed, stage_seconds={})


def test_every_joint_and_limb_is_drawn_once(motion):
    drawn = figures.figures(motion)
    assert sorted(np.concatenate([one.joints for one in drawn])) == list(range(135))
    limbs = sorted(tuple(limb) for one in drawn for limb in one.limbs.tolist())
    assert limbs == sorted(WHOLE_BODY_135.limbs)


def test_fingers_do_not_touch_and_a_face_is_finer_than_a_hand(motion):
    radii = {one.part: max(one.lines(0).radius.max(), one.balls(0).radius.max()) for one in figures.figures(motion)}
    assert radii["left_hand"] == radii["right_hand"] < 0.5 * 0.02  # half the way to the neighbour
    assert radii["face"] < 0.5 * 0.008  # half an eye's opening
    assert radii["body"] > 0.02


def test_the_body_s_nose_eyes_and_ears_are_fine_only_over_a_face_that_was_found(motion):
    body = figures.figures(motion)[0]
    nose = WHOLE_BODY_135.index("Nose")
    over_a_face = body.balls(0).radius[nose]
    motion.points.X[0, 0, PARTS["face"]] = np.nan
    assert over_a_face == figures.HEAD_RADIUS_M < body.balls(0).radius[nose]
    assert body.balls(1).radius[nose] == over_a_face


def test_meshes_keep_their_size_when_hands_and_face_come_and_go(motion):
    drawn = figures.figures(motion)

    def sizes(frame):
        return [len(solids.spheres(one.balls(frame)).vertices) for one in drawn]

    motion.points.X[1, 0, 25:] = np.nan
    assert sizes(0) == sizes(1)


def test_a_hand_in_the_picture_is_made_of_several_lines_with_dark_between(motion):
    pytest.importorskip("open3d", exc_type=ImportError)
    wrist = WHOLE_BODY_135.index("LWrist")
    fingers = np.array([[0, 0.044 - 0.022 * finger, -0.05 - 0.03 * i] for finger in range(5) for i in range(4)])
    motion.points.X[:, 0, wrist] = 0.6, -0.5, 1.0
    motion.points.X[:, 0, PARTS["left_hand"]] = motion.points.X[0, 0, wrist] + fingers
    near = view.camera_at((2.0, -0.5, 0.9), (-1.0, 0, 0), (640, 480))
    try:
        (image,) = render.render_frames(motion, None, [0], [near])
    except JobError as error:
        pytest.skip(str(error))
    ends = project(near, motion.points.X[0, 0, PARTS["left_hand"][[2, 18]]])
    x0, x1 = sorted(np.round(ends[:, 0]).astype(int))
    row = image[round(float(ends[0, 1])), x0 - 8 : x1 + 9].max(axis=-1) > 90
    assert np.flatnonzero(np.diff(row.astype(int)) == 1).size == 5


def test_the_summary_counts_body_feet_hands_and_face_apart(motion):
    motion.points.X[0, 0, PARTS["left_hand"]] = np.nan
    motion.points.X[1, 0, PARTS["left_hand"][:10]] = np.nan
    got = summarised(motion)
    rows = {row.part: (row.there_percent, row.found_percent, round(row.median_px, 6)) for row in got.parts}
    assert rows == {
        "body": (100, 100, 5),
        "feet": (100, pytest.approx(100 * 4 / 6), 5),
        "left hand": (75, 62.5, 2),
        "right hand": (100, 100, 2),
        "face": (100, 100, 1),
    }
    assert got.found_percent == pytest.approx(100 * 23 / 25)
    assert got.cameras[0].median_px == pytest.approx(5)
    assert got.cameras[0].points == F * 23


def test_limbs_of_hands_and_face_are_one_row_each(motion):
    motion.points.X[..., PARTS["face"], :] *= np.array([1.0, 1.1, 0.9, 1.0])[:, None, None, None]
    limbs = summarised(motion).limbs
    assert [row.limb for row in limbs[-3:]] == [
        "left hand, 20 lines, median", "right hand, 20 lines, median", "face, 63 lines, median"
    ]  # fmt: skip
    assert limbs[-3].variation_percent == pytest.approx(0, abs=1e-6)
    assert limbs[-1].variation_percent == pytest.approx(100 * np.std([1, 1.1, 0.9, 1]), rel=1e-6)
    assert len(limbs) == 24 + 3


def test_the_report_shows_the_body_and_hides_the_points_of_hands_and_face(motion, tmp_path):
    page = report.write_report(tmp_path, summarised(motion), title="whole").read_text()
    before, after = page.split("<details>")
    assert "<td>RHeel</td>" in before
    assert "<td>face</td>" in before
    assert "<td>Face0</td>" in after.split("</details>")[0]
    assert "<td>Face0</td>" not in before
    text = (tmp_path / "summary.txt").read_text()
    assert len(text.splitlines()) < 80
    assert "Face0" not in text
    assert "joints found    92.0 % of the body\n" in text
