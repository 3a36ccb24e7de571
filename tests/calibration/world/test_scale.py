import numpy as np
import pytest

from triskel import project
from triskel.calibration import Charuco
from triskel.calibration.world import (
    board_sizes,
    moved_rig,
    scale_by,
    scale_from_board,
    scale_from_height,
    scale_from_wand,
    statures,
)
from triskel.errors import InputError
from triskel.rigid import Rigid


def scaled(rig, factor):
    return moved_rig(rig, Rigid.identity(), scale=factor)


def wand(rig, *, length_m=0.5, frames=80, noise_px=0.5, seed=3):
    rng = np.random.default_rng(seed)
    first = rng.uniform([-0.6, -0.6, 0.5], [0.6, 0.6, 1.5], (frames, 3))
    along = rng.normal(size=(frames, 3))
    X = np.stack([first, first + length_m * along / np.linalg.norm(along, axis=1, keepdims=True)], axis=1)
    xy = np.stack([project(camera, X) for camera in rig], axis=1)
    return xy + rng.normal(0, noise_px, xy.shape)


def test_wand_gives_the_scale_and_says_how_well(rig):
    xy = wand(rig)
    xy[5, 1] += 80  # a false marker in one camera
    xy[7, :, 0] = np.nan
    placed = scale_from_wand(scaled(rig, 0.37), xy, 0.5)
    assert placed.scale == pytest.approx(1 / 0.37, rel=1e-3)
    assert 0.3 < placed.residual_mm < 4
    np.testing.assert_allclose(placed.rig["cam02"].centre, rig["cam02"].centre, atol=0.01)


def test_wand_that_varies_blames_the_rig(rig):
    turned = Rigid.from_rotvec([0, 0.04, 0], [0, 0, 0])
    bad = type(rig)(
        tuple(c.replace(cam_from_world=turned @ c.cam_from_world) if i % 2 else c for i, c in enumerate(rig))
    )
    two = bad.select(["cam01", "cam02"])
    messages = scale_from_wand(two, wand(rig)[:, :2], 0.5).messages
    assert any("varies" in message for message in messages)
    assert len(scale_from_wand(rig, wand(rig), 0.5).messages) == 1


def test_wand_refusals(rig):
    xy = wand(rig)
    with pytest.raises(InputError, match="positive number of metres"):
        scale_from_wand(rig, xy, -1)
    with pytest.raises(InputError, match="frames, 4 cameras"):
        scale_from_wand(rig, xy[:, :2], 0.5)
    with pytest.raises(InputError, match="in 0 of 80 frames"):
        scale_from_wand(rig, np.full_like(xy, np.nan), 0.5)
    with pytest.raises(InputError, match="in 0 of 0 frames"):
        scale_from_wand(rig, xy[:0], 0.5)
    xy[:, :, 1] = xy[:, :, 0]
    with pytest.raises(InputError, match="same marker"):
        scale_from_wand(rig, np.round(xy) * 0 + xy[:1], 0.5)


def test_height_gives_the_scale_in_any_posture_and_world(rig, walker):
    X = walker.walk(stature=1.82)
    somewhere = Rigid.from_rotvec([1.0, -0.5, 0.3], [1, 2, 3])
    placed = scale_from_height(scaled(rig, 0.1), walker.motion_of(somewhere.apply(0.1 * X), noise_m=0.001), 1.82)
    assert placed.scale == pytest.approx(10, rel=0.03)
    assert placed.residual_mm == pytest.approx(1820 * 0.0174, rel=0.02)


def test_sitting_people_are_measured_by_their_segments(walker):
    X = walker.walk()
    X[:, :, 19:] = np.nan  # feet under a table
    X[:, :, [0, 15, 16, 17, 18]] = np.nan
    height, sigma = statures(walker.motion_of(X))
    assert height[0] == pytest.approx(1.75, rel=0.04)
    assert sigma[0] == pytest.approx(0.035)


def test_heights_need_a_person_to_belong_to(rig, walker):
    both = walker.motion_of(np.concatenate([walker.walk(stature=1.4), walker.walk(stature=1.9)], axis=1))
    with pytest.raises(InputError, match="say whose height"):
        scale_from_height(rig, both, 1.9)
    assert scale_from_height(rig, both, 1.9, person=1).scale == pytest.approx(1, abs=0.03)
    with pytest.raises(InputError, match="person 2"):
        scale_from_height(rig, both, 1.9, person=2)
    with pytest.raises(InputError, match="unit is metres"):
        scale_from_height(rig, both, 178)
    with pytest.raises(InputError, match="nobody"):
        scale_from_height(rig, walker.motion_of(np.full((20, 1, 25, 3), np.nan)), 1.8)


def test_boards_give_the_scale(rig, scene):
    shots = scene.shots_of(rig, 12, noise_px=0.2)
    ratios = board_sizes(scaled(rig, 0.9), shots, scene.BOARD)
    assert np.nanmedian(ratios) == pytest.approx(0.9, rel=2e-3)
    placed = scale_from_board(scaled(rig, 0.9), shots, scene.BOARD)
    assert placed.scale == pytest.approx(1 / 0.9, rel=2e-3)
    with pytest.raises(InputError, match="two cameras never see"):
        scale_from_board(rig, [], Charuco(squares_xy=(5, 4), square_m=0.1, marker_m=0.05))


def test_scale_is_a_positive_number(rig):
    assert scale_by(rig, 2.0).rig["cam01"].centre[0] == pytest.approx(2 * rig["cam01"].centre[0])
    for bad in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match="positive"):
            scale_by(rig, bad)


@pytest.mark.parametrize(("length_m", "word"), [(500.0, "millimetres"), (1.5, "never off by that much"), (0.6, "")])
def test_a_wand_that_makes_the_rig_unlikely_is_doubted(rig, length_m, word):
    messages = scale_from_wand(rig, wand(rig), length_m).messages
    assert len(messages) == 1 + bool(word)
    assert word in messages[-1]


def test_a_height_that_multiplies_lengths_by_more_than_two_is_doubted(rig, walker):
    motion = walker.motion_of(0.4 * walker.walk(stature=1.8), noise_m=0.001)
    assert any("never off by that much" in m for m in scale_from_height(scaled(rig, 0.4), motion, 1.8).messages)
    motion = walker.motion_of(walker.walk(stature=1.8), noise_m=0.001)
    assert not any("never off" in m for m in scale_from_height(rig, motion, 1.8).messages)
