"""Boards, points and people as the world: the true rig comes back from one that was turned, moved and scaled."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from triskel import Rig, project
from triskel.calibration import BoardView, Charuco
from triskel.calibration.world import (
    FloorPoints,
    ScenePoint,
    load_floor_points,
    load_scene_points,
    moved_points,
    moved_rig,
    place_by_points,
    place_by_three,
    place_from_people,
    place_on_board,
    place_on_pose,
)
from triskel.errors import ConfigError, InputError
from triskel.rigid import Rigid

BOARD = Charuco(squares_xy=(9, 6), square_m=0.08, marker_m=0.06)
SOMEWHERE = Rigid(Rotation.from_euler("xyz", [70, -40, 25], degrees=True).as_matrix(), [1.0, -2.0, 3.0])


def elsewhere(rig, scale=1.0):
    return moved_rig(rig, SOMEWHERE, scale=scale)


def centres(rig):
    return np.array([camera.centre for camera in rig])


def board_views(rig, world_from_board, noise_px=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = world_from_board.apply(BOARD.corners)
    return {c.name: BoardView(np.arange(len(X)), project(c, X) + rng.normal(0, 1, (len(X), 2)) * noise_px) for c in rig}


def scene_points(rig, places, shown=None):
    places = np.asarray(places, float)
    return [
        ScenePoint(
            f"p{i}", tuple((shown if shown is not None else places)[i]), {c.name: tuple(project(c, X)) for c in rig}
        )
        for i, X in enumerate(places)
    ]


PLACES = [[0, 0, 0], [1.2, 0, 0], [0, 1, 0], [0.5, 0.5, 1.4], [-0.8, 0.3, 0.9], [0.2, -0.9, 0.4]]


def test_moving_a_rig_changes_no_image(rig):
    X = np.array(PLACES)
    for scale in (0.5, 1.0, 3.0):
        moved = elsewhere(rig, scale)
        for before, after in zip(rig, moved, strict=True):
            np.testing.assert_allclose(project(after, SOMEWHERE.apply(scale * X)), project(before, X), atol=1e-6)


@pytest.mark.parametrize("lying", [np.eye(3), np.diag([1.0, -1, -1])])
def test_board_on_the_floor_gives_z_up_whichever_side_its_z_is(rig, lying):
    flat = Rigid(lying, [0.3, 0.1, 0.0])
    placed = place_on_board(elsewhere(rig), board_views(rig, flat, noise_px=0.2), BOARD)
    heights = centres(placed.rig)[:, 2]
    np.testing.assert_allclose(heights, centres(rig)[:, 2], atol=0.01)
    assert placed.residual_mm < 1.0
    corners = moved_points(placed, SOMEWHERE.apply(flat.apply(BOARD.corners)))
    np.testing.assert_allclose(corners[0], 0, atol=2e-3)  # the origin is corner 0, x runs along the first row
    np.testing.assert_allclose(corners[1], [0.08, 0, 0], atol=2e-3)


def test_origin_in_the_middle_and_another_axis(rig):
    flat = Rigid(np.eye(3), [0.3, 0.1, 0.0])
    placed = place_on_pose(rig, flat, BOARD, origin="middle", x_axis="y", height_m=0.004)
    corners = moved_points(placed, flat.apply(BOARD.corners))
    np.testing.assert_allclose(corners.mean(axis=0), [0, 0, 0.004], atol=1e-12)
    step = corners[8] - corners[0]  # one row down the board, whose y is the world's x now
    np.testing.assert_allclose(step, [0.08, 0, 0], atol=1e-12)
    with pytest.raises(InputError, match="origin is corner or middle"):
        place_on_pose(rig, flat, BOARD, origin="centre")


def test_still_board_of_many_frames_is_averaged_and_a_moving_one_refused(rig):
    flat = Rigid(np.eye(3), [0.2, 0.1, 0.0])
    still = [board_views(rig, flat, noise_px=0.5, seed=s) for s in range(20)]
    assert place_on_board(rig, still, BOARD).residual_mm < 0.5
    moving = [board_views(rig, Rigid(np.eye(3), [0.02 * s, 0.1, 0.0])) for s in range(20)]
    with pytest.raises(InputError, match="it moves in cam0"):
        place_on_board(rig, moving, BOARD)


def test_board_of_the_wrong_size_is_reported(rig):
    views = board_views(moved_rig(rig, Rigid.identity(), scale=1.1), Rigid(np.eye(3), [0.2, 0.1, 0.0]))
    placed = place_on_board(rig, views, BOARD)
    assert any("too small" in message for message in placed.messages)
    assert not any(
        "too" in message for message in place_on_board(rig, board_views(rig, Rigid.identity()), BOARD).messages
    )


def test_board_that_one_camera_sees_is_refused(rig):
    views = board_views(rig, Rigid.identity())
    with pytest.raises(InputError, match="1 of 4 cameras"):
        place_on_board(rig, {"cam01": views["cam01"]}, BOARD)
    with pytest.raises(ConfigError, match="no camera 'other'"):
        place_on_board(rig, {"other": views["cam01"]}, BOARD)


def test_three_points_give_the_floor(rig):
    three = FloorPoints(
        *({c.name: tuple(project(c, X)) for c in rig} for X in ([0, 0, 0], [1.2, 0, 0], [0.4, -0.9, 0]))
    )
    placed = place_by_three(elsewhere(rig), three)
    np.testing.assert_allclose(centres(placed.rig), centres(rig), atol=1e-4)


def test_three_points_on_a_line_are_refused(rig):
    three = FloorPoints(*({c.name: tuple(project(c, [x, 0, 0])) for c in rig} for x in (0, 0.5, 1)))
    with pytest.raises(InputError, match="one line"):
        place_by_three(rig, three)


def test_point_that_cameras_do_not_agree_on_is_refused_by_name(rig):
    px = [{c.name: tuple(project(c, X)) for c in rig.cameras[:2]} for X in ([0, 0, 0], [1.2, 0, 0], [0.4, 0.9, 0])]
    wrong = {name: (u + (300 if name == "cam01" else 0), v + 200) for name, (u, v) in px[1].items()}
    with pytest.raises(InputError, match="point 'x': its 2 cameras do not agree"):
        place_by_three(rig, FloorPoints(px[0], wrong, px[2]))
    with pytest.raises(InputError, match="point 'floor': given in 1 camera,"):
        place_by_three(rig, FloorPoints(px[0], px[1], {"cam01": px[2]["cam01"]}))


def test_known_points_give_world_and_scale(rig):
    placed = place_by_points(elsewhere(rig, 0.8), scene_points(rig, PLACES))
    np.testing.assert_allclose(centres(placed.rig), centres(rig), atol=1e-4)
    assert placed.scale == pytest.approx(1.25, rel=1e-5)
    assert placed.residual_mm < 0.1
    assert any("scale is off by -20.0%" in message for message in placed.messages)
    kept = place_by_points(elsewhere(rig, 0.98), scene_points(rig, PLACES), fixed_scale=True)
    assert kept.scale == 1.0
    assert any("-2.0%; it is kept" in message for message in kept.messages)


def test_point_at_a_wrong_place_is_left_out_and_named(rig):
    shown = np.array(PLACES, float)
    shown[3] += [0.3, 0, 0]
    placed = place_by_points(elsewhere(rig), scene_points(rig, PLACES, shown))
    np.testing.assert_allclose(centres(placed.rig), centres(rig), atol=1e-3)
    assert dict(placed.points_mm)["p3"] == pytest.approx(300, abs=1)
    assert any(message.startswith("p3: left out") for message in placed.messages)


def test_left_handed_places_are_refused(rig):
    shown = np.array(PLACES, float) * (1, -1, 1)
    with pytest.raises(InputError, match="left-handed axes"):
        place_by_points(rig, scene_points(rig, PLACES, shown))


def test_points_on_one_line_and_too_few_are_refused(rig):
    with pytest.raises(InputError, match="on one line"):
        place_by_points(rig, scene_points(rig, [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [1.5, 0, 0]]))
    with pytest.raises(InputError, match="2 of 2"):
        place_by_points(rig, scene_points(rig, PLACES[:2]))


def test_scene_files_are_read_and_their_mistakes_named(tmp_path):
    path = tmp_path / "scene.yaml"
    path.write_text("points:\n- {name: a, world_m: [0, 1, 2], px: {cam01: [3, 4.5]}}\n")
    assert load_scene_points(path) == (ScenePoint("a", (0.0, 1.0, 2.0), {"cam01": (3.0, 4.5)}),)
    floor = tmp_path / "floor.yaml"
    floor.write_text("origin: {cam01: [1, 2]}\nx: {cam01: [3, 4]}\nfloor: {cam02: [5, 6]}\n")
    assert load_floor_points(floor).floor == {"cam02": (5.0, 6.0)}
    for text, message in [
        ("points:\n- {name: a, world: [0, 1, 2], px: {}}\n", "unknown key world"),
        ("points:\n- {name: a, world_m: [0, 1], px: {}}\n", "world_m"),
        ("points: [{name: a, world_m: [0, .nan, 1], px: {}}]\n", "finite"),
        ("points: {", "cannot be read as YAML"),
        ("3", "YAML file with keys"),
        ("points: []\n", "at least 1"),
    ]:
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_scene_points(path)
    path.write_text("points:\n- {name: a, world_m: [0, 1, 2], px: {}}\n- {name: a, world_m: [0, 1, 3], px: {}}\n")
    with pytest.raises(ConfigError, match="twice: a"):
        load_scene_points(path)


def test_walking_people_give_floor_and_up(rig, walker):
    X = walker.walk()
    motion = walker.motion_of(SOMEWHERE.apply(X), noise_m=0.01)
    placed = place_from_people(elsewhere(rig), motion)
    np.testing.assert_allclose(centres(placed.rig)[:, 2], centres(rig)[:, 2], atol=0.03)
    feet = moved_points(placed, motion.points.X)[..., [19, 21, 22, 24], 2]
    assert np.nanpercentile(feet, 10) == pytest.approx(0.02, abs=0.02)
    up = SOMEWHERE.R @ [0, 0, 1]
    assert np.degrees(np.arccos(placed.world_from_old.R[2] @ up)) < 0.7
    assert 5 < placed.residual_mm < 25  # as noisy as the joints


def test_origin_is_below_the_first_persons_hips_and_x_where_they_face(rig, walker):
    X = walker.walk()
    placed = place_from_people(rig, walker.motion_of(X))
    new = moved_points(placed, X)
    np.testing.assert_allclose(new[0, 0, 8, :2], 0, atol=1e-6)
    toe, heel = new[0, 0, 19], new[0, 0, 21]
    assert (toe - heel)[0] > 0.9 * np.linalg.norm((toe - heel)[:2])
    middle = place_from_people(rig, walker.motion_of(X), origin="cameras")
    np.testing.assert_allclose(centres(middle.rig)[:, :2].mean(axis=0), 0, atol=1e-6)
    assert centres(middle.rig)[0, 1] == pytest.approx(0, abs=1e-6)


def test_somebody_on_a_box_does_not_lift_the_floor(rig, walker):
    X = np.concatenate([walker.walk() + np.array([0, 0, 0.5]), walker.walk(centre=(0.3, 0.2), start=2.0)], axis=1)
    placed = place_from_people(rig, walker.motion_of(X))
    np.testing.assert_allclose(centres(placed.rig)[:, 2], centres(rig)[:, 2], atol=0.03)
    assert any(message.startswith("person 0 stands +5") for message in placed.messages)


def test_lying_people_missing_feet_and_nobody_are_refused(rig, walker):
    X = walker.walk(60)
    lying = Rigid.from_rotvec([np.pi / 2, 0, 0], [0, 0, 0.2]).apply(X)
    with pytest.raises(InputError, match="they lie"):
        place_from_people(rig, walker.motion_of(lying))
    footless = X.copy()
    footless[:, :, 19:] = np.nan
    with pytest.raises(InputError, match="let the cameras see the feet"):
        place_from_people(rig, walker.motion_of(footless))
    with pytest.raises(InputError, match="never seen together"):
        place_from_people(rig, walker.motion_of(np.full_like(X, np.nan)))
    with pytest.raises(InputError, match="never seen together"):
        place_from_people(rig, walker.motion_of(X[:, :0]))


def test_stairs_are_no_floor(rig, walker):
    X = walker.walk(150)
    X[..., 2] += 0.5 * X[..., :1, 0]  # the floor rises, the bodies stay upright
    with pytest.raises(InputError, match="stairs or a slope"):
        place_from_people(rig, walker.motion_of(X))


def test_one_camera_and_the_order_of_cameras_make_no_difference(rig, walker):
    motion = walker.motion_of(walker.walk(), noise_m=0.005)
    every = place_from_people(rig, motion)
    backward = place_from_people(Rig(rig.cameras[::-1]), motion)
    np.testing.assert_array_equal(every.world_from_old.R, backward.world_from_old.R)
    one = place_from_people(rig.select(["cam02"]), motion)
    np.testing.assert_allclose(one.rig["cam02"].centre, every.rig["cam02"].centre)


def exchanged(places, a, b):
    shown = np.array(places, float)
    shown[[a, b]] = shown[[b, a]]
    return shown


def test_points_whose_names_were_exchanged_are_refused_and_named(rig):
    near = [[0, 0, 0.8], [0.3, 0, 0.8], [0, 0.2, 0.8], [0.1, 0.1, 1.1], [-0.2, 0.1, 0.9]]
    with pytest.raises(InputError, match="With 'p0' and 'p1' exchanged they fit to 0 mm: correct their names"):
        place_by_points(rig, scene_points(rig, near, exchanged(near, 0, 1)))


def test_points_that_are_elsewhere_are_refused_with_the_worst_named(rig):
    shown = np.array(PLACES[:4], float)
    shown[2] += [0, 0.7, 0.5]
    with pytest.raises(InputError, match=r"miss their places by \d+ mm \(RMS\), \d+% of their spread.*worst is 'p\d'"):
        place_by_points(rig, scene_points(rig, PLACES[:4], shown))


def test_points_measured_to_a_centimetre_are_taken(rig):
    shown = np.array(PLACES, float) + np.random.default_rng(1).normal(0, 0.01, (6, 3))
    placed = place_by_points(rig, scene_points(rig, PLACES, shown))
    assert 3 < placed.residual_mm < 25
    assert not any("factor" in message or "millimetres" in message for message in placed.messages)


def test_places_in_millimetres_are_doubted(rig):
    placed = place_by_points(rig, scene_points(rig, PLACES, 1000 * np.array(PLACES)))
    assert any("are the lengths given in millimetres?" in message for message in placed.messages)
    placed = place_by_points(rig, scene_points(rig, PLACES, 2.5 * np.array(PLACES)))
    assert any("multiplied by 2.5: a rig from a board is never off by that much" in m for m in placed.messages)
