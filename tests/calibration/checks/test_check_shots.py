"""Mirrored, flipped and exchanged boards: invisible in each view, named from many."""

import numpy as np
import pytest

from triskel import Rig
from triskel.calibration import BoardView, Charuco
from triskel.calibration.checks import check_camera_distances, check_markers, check_shots
from triskel.calibration.checks.fit import exchanged
from triskel.calibration.checks.joining import reflections
from triskel.calibration.checks.known import marker_share
from triskel.calibration.world import moved_rig
from triskel.errors import ConfigError, InputError
from triskel.rigid import Rigid

BOARD = Charuco(squares_xy=(9, 6), square_m=0.08, marker_m=0.06)


@pytest.fixture(scope="module")
def shots_of(scene):
    def of(rig, n=40, *, board=BOARD, seed=4, noise_px=0.3, side=1):
        """Boards as printed: seen from their front alone, by whoever stands before it."""
        rng = np.random.default_rng(seed)
        corners = board.corners - board.corners.mean(axis=0)
        shots = []
        while len(shots) < n:
            position = rng.uniform([-0.6, -0.6, 0.6], [0.6, 0.6, 1.6])
            to_camera = rig.cameras[rng.integers(len(rig))].centre - position
            R = scene.facing(-to_camera / np.linalg.norm(to_camera) + rng.normal(0, 0.3, 3), rng)
            seen = {}
            for camera in rig:
                away = camera.centre - position
                if -(R[:, 2] @ away) / np.linalg.norm(away) > 0.35:
                    scene.look(
                        seen, camera, (corners * (1, side, 1)) @ R.T + position, rng, noise_px=noise_px, outliers=0
                    )
            if len(seen) >= 2:
                shots.append(seen)
        return shots

    return of


@pytest.fixture
def close_rig(rig_of):
    """Cameras on a third of a ring, so that several see the front of one board."""
    rig = rig_of(12)
    return Rig(tuple(rig[f"cam{i:02d}"].replace(name=f"cam{i:02d}") for i in (1, 2, 3, 4)))


def codes(findings):
    return [(finding.code, finding.camera) for finding in findings]


def with_views(shots, camera, change, only=None):
    return [
        {name: change(view) if name == camera and (only is None or s in only) else view for name, view in shot.items()}
        for s, shot in enumerate(shots)
    ]


def turned(view):
    return BoardView(reflections(BOARD)["turned"][view.ids], view.xy)


def test_good_shots_have_no_findings(close_rig, shots_of):
    shots = shots_of(close_rig)
    assert check_shots(shots, close_rig, BOARD) == []
    assert check_shots(shots, close_rig, BOARD, rig=close_rig) == []
    assert check_shots(shots, close_rig.select(["cam01", "cam02", "cam03", "cam04"]), [BOARD] * len(shots)) == []


def test_camera_with_mirrored_images_sees_the_board_from_behind(close_rig, shots_of):
    w = close_rig["cam02"].size_wh[0]
    K = close_rig["cam02"].K.copy()
    K[0, 2] = w - 1 - K[0, 2]  # calibrated from its own, mirrored pictures
    dist = close_rig["cam02"].dist * (1, 1, 1, -1, 1)
    cameras = [c.replace(K=K, dist=dist) if c.name == "cam02" else c for c in close_rig]
    shots = with_views(shots_of(close_rig), "cam02", lambda v: BoardView(v.ids, np.c_[w - 1 - v.xy[:, 0], v.xy[:, 1]]))
    assert codes(check_shots(shots, cameras, BOARD)) == [("mirrored-video", "cam02")]


@pytest.mark.parametrize("which", ["mirrored_x", "mirrored_y"])
def test_mirrored_chessboard_whose_corners_are_numbered_anew_cannot_be_joined(close_rig, shots_of, which):
    w = close_rig["cam03"].size_wh[0]
    K = close_rig["cam03"].K.copy()
    K[0, 2] = w - 1 - K[0, 2]
    dist = close_rig["cam03"].dist * (1, 1, 1, -1, 1)
    cameras = [c.replace(K=K, dist=dist) if c.name == "cam03" else c for c in close_rig]
    number = reflections(BOARD)[which]
    shots = with_views(
        shots_of(close_rig), "cam03", lambda v: BoardView(number[v.ids], np.c_[w - 1 - v.xy[:, 0], v.xy[:, 1]])
    )
    (finding,) = check_shots(shots, cameras, BOARD)
    assert (finding.code, finding.camera, finding.severity) == ("mirrored-video", "cam03", "error")
    assert "if mirrored back" in finding.message


def test_board_printed_mirrored_is_noticed(close_rig, shots_of):
    findings = check_shots(shots_of(close_rig, side=-1), close_rig, BOARD)
    assert codes(findings) == [("mirrored-board", "")]
    assert findings[0].severity == "warning"


def test_boards_taken_upside_down_in_some_shots_are_counted(close_rig, shots_of):
    shots = shots_of(close_rig)
    some = [s for s, shot in enumerate(shots) if "cam02" in shot and len(shot) >= 3][:4]
    findings = check_shots(with_views(shots, "cam02", turned, set(some)), close_rig, BOARD)
    assert codes(findings) == [("flipped-board", "cam02")]
    assert f"in 4 shots (the first is {some[0]})" in findings[0].message


def test_unsynchronised_camera_cannot_be_joined(close_rig, shots_of):
    shots = shots_of(close_rig)
    views = [shot.get("cam04") for shot in shots]
    late = [
        {**{n: v for n, v in shot.items() if n != "cam04"}, **({"cam04": views[s - 1]} if views[s - 1] else {})}
        for s, shot in enumerate(shots)
    ]
    assert codes(check_shots(late, close_rig, BOARD)) == [("cannot-join", "cam04")]
    two = close_rig.select(["cam03", "cam04"])
    pairs = [{n: v for n, v in shot.items() if n in ("cam03", "cam04")} for shot in late]
    assert codes(check_shots(pairs, two, BOARD)) == [("cannot-join", "cam03, cam04")] or codes(
        check_shots(pairs, two, BOARD)
    ) == [("cannot-join", "cam04, cam03")]


def test_exchanged_recordings_are_named_with_a_rig(close_rig, shots_of):
    shots = shots_of(close_rig)
    found = check_shots(shots, close_rig, BOARD, rig=exchanged(close_rig, "cam01", "cam03"))
    assert codes(found) == [("swapped-cameras", "cam01, cam03")]


def test_boards_that_contradict_each_other_and_the_rig_are_named(close_rig, shots_of):
    shots = shots_of(close_rig, 20)
    assert codes(check_shots(shots, close_rig, BOARD, rig=moved_rig(close_rig, Rigid.identity(), scale=1.04))) == [
        ("wrong-scale", "")
    ]
    other = Charuco(squares_xy=(9, 6), square_m=0.082, marker_m=0.06, name="other")
    found = check_shots(shots, close_rig, [BOARD, other] * 10, rig=close_rig)
    assert codes(found) == [("board-sizes", "")]
    assert "2.5%" in found[0].message


def test_corners_outside_the_calibrated_image_are_named(close_rig, shots_of):
    shots = with_views(shots_of(close_rig), "cam01", lambda view: BoardView(view.ids, view.xy * 2))
    assert ("image-size", "cam01") in codes(check_shots(shots, close_rig, BOARD))


def test_nothing_to_look_at_is_no_finding_and_nonsense_is_refused(close_rig):
    assert check_shots([], close_rig, BOARD) == []
    assert check_shots([{"cam01": BoardView.empty()}], close_rig, BOARD) == []
    with pytest.raises(InputError, match="1 shots but 2 boards"):
        check_shots([{}], close_rig, [BOARD, BOARD])
    with pytest.raises(ConfigError, match="no camera 'x'"):
        check_shots([{"x": BoardView.empty()}], close_rig, BOARD)


def test_known_camera_distances_show_a_wrong_scale(close_rig):
    def distances(scale):
        return {
            (a, b): scale * float(np.linalg.norm(close_rig[a].centre - close_rig[b].centre))
            for a, b in (("cam01", "cam02"), ("cam01", "cam03"), ("cam02", "cam04"))
        }

    assert check_camera_distances(close_rig, distances(1.01)) == []
    assert codes(check_camera_distances(close_rig, distances(0.5))) == [("wrong-scale", "")]
    one_off = {**distances(1.0), ("cam02", "cam04"): 0.7 * distances(1.0)["cam02", "cam04"]}
    assert codes(check_camera_distances(close_rig, one_off)) == [("camera-distance", "cam02, cam04")]
    assert check_camera_distances(close_rig, {}) == []
    with pytest.raises(InputError, match="positive"):
        check_camera_distances(close_rig, {("cam01", "cam02"): -1.0})


def picture(board, warp):
    import cv2

    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary))
    printed = cv2.aruco.CharucoBoard(board.squares_xy, board.square_m, board.marker_m, dictionary)
    flat = printed.generateImage((900, 600), marginSize=20)
    corners = np.float32([[0, 0], [899, 0], [899, 599], [0, 599]])
    turned_corners = np.float32([[80, 60], [860 - warp, 30 + warp], [900, 640], [40 + warp, 600]])
    image = cv2.warpPerspective(flat, cv2.getPerspectiveTransform(corners, turned_corners), (960, 720), borderValue=255)
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)


def test_wrong_marker_size_is_seen_in_pictures_of_the_board():
    images = [picture(BOARD, warp) for warp in (0, 60, 120)]
    assert marker_share(images, BOARD) == pytest.approx(0.75, abs=0.02)
    assert check_markers(images, BOARD) == []
    wrong = Charuco(squares_xy=(9, 6), square_m=0.08, marker_m=0.05)
    assert codes(check_markers(images, wrong)) == [("marker-size", "")]
    assert np.isnan(marker_share([], BOARD))
    assert check_markers([np.zeros((50, 50, 3), np.uint8)], BOARD) == []
