"""The ground truth against a direct evaluation of the paper's equations, cell by cell."""

import math

import numpy as np
import pytest
import torch

from triskel.detect2d.layout import LAYOUTS, layout_of
from triskel.detect2d.training.targets import render_targets
from triskel.skeleton import BODY_25, make_skeleton

GRID_WH, SIGMA_PX, LIMB_PX = (9, 7), 9.9, 8.0


def direct_confidence(people, joint, x, y):
    """Equations 7 and 8 at one place."""
    values = [0.0]
    for person in people:
        px, py = person[joint]
        if not math.isnan(px):
            values.append(math.exp(-((x - px) ** 2 + (y - py) ** 2) / SIGMA_PX**2))
    return max(values)


def direct_affinity(people, limb, x, y, round_ends):
    """Equations 9 and 10 at one place; with round ends, every place within sigma_l of the limb is on it."""
    total, count = [0.0, 0.0], 0
    for person in people:
        (ax, ay), (bx, by) = person[limb[0]], person[limb[1]]
        length = math.hypot(bx - ax, by - ay)
        if math.isnan(length) or length == 0:
            continue
        vx, vy = (bx - ax) / length, (by - ay) / length
        along = vx * (x - ax) + vy * (y - ay)
        across = -vy * (x - ax) + vx * (y - ay)
        nearest = min(max(along, 0), length)
        near = math.hypot(x - ax - nearest * vx, y - ay - nearest * vy) <= LIMB_PX
        if near if round_ends else 0 <= along <= length and abs(across) <= LIMB_PX:
            total[0] += vx
            total[1] += vy
            count += 1
    return [value / count for value in total] if count else total


def people(seed, images=2, number=3, joints=25):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-10, [8 * GRID_WH[0] + 10, 8 * GRID_WH[1] + 10], (images, number, joints, 2))
    xy[rng.random(xy.shape[:3]) < 0.2] = np.nan
    xy[0, 0, 4] = xy[0, 0, 3]  # a limb without length
    return xy


def render(xy, layout, **how):
    keypoints = torch.from_numpy(np.asarray(xy, np.float64))
    return render_targets(keypoints, layout, grid_wh=GRID_WH, sigma_px=SIGMA_PX, limb_px=LIMB_PX, **how)


@pytest.mark.parametrize("round_ends", [False, True])
@pytest.mark.parametrize("name", list(LAYOUTS))
def test_maps_equal_the_equations_at_every_cell(name, round_ends):
    layout = LAYOUTS[name]
    xy = people(3, joints=len(layout.skeleton))
    targets = render(xy, layout, round_ends=round_ends)
    assert targets.confidence.shape == (2, layout.confidence_maps, GRID_WH[1], GRID_WH[0])
    assert targets.affinity.shape == (2, layout.affinity_maps, GRID_WH[1], GRID_WH[0])
    for image in range(2):
        for row in range(GRID_WH[1]):
            for column in range(GRID_WH[0]):
                x, y = 8 * column + 3.5, 8 * row + 3.5
                expected = [direct_confidence(xy[image], j, x, y) for j in range(len(layout.skeleton))]
                got = targets.confidence[image, :, row, column].numpy()
                np.testing.assert_allclose(got, [*expected, 1 - max(expected)], rtol=0, atol=1e-5)
                fields = [part for limb in layout.limbs for part in direct_affinity(xy[image], limb, x, y, round_ends)]
                np.testing.assert_allclose(targets.affinity[image, :, row, column].numpy(), fields, rtol=0, atol=1e-5)


def test_a_joint_on_a_cell_has_confidence_one_there():
    skeleton = make_skeleton("one", ("A", "B"), ((0, 1),))
    targets = render([[[[3.5 + 16, 3.5 + 8], [np.nan, np.nan]]]], layout_of(skeleton))
    assert targets.confidence[0, 0].max() == targets.confidence[0, 0, 1, 2] == 1
    assert targets.confidence[0, 1].max() == 0
    assert targets.confidence[0, 2, 1, 2] == 0  # the background
    assert (targets.affinity == 0).all()


def test_fields_of_people_who_meet_are_averaged():
    skeleton = make_skeleton("limb", ("A", "B"), ((0, 1),))
    right, down = [[3.5, 27.5], [67.5, 27.5]], [[35.5, 3.5], [35.5, 51.5]]
    field = render([[right, down]], layout_of(skeleton)).affinity[0, :, 3, :].numpy()
    np.testing.assert_allclose(field[:, 1], [1, 0], atol=1e-6)
    np.testing.assert_allclose(field[:, 4], [0.5, 0.5], atol=1e-6)


def test_an_image_without_people_is_all_background():
    targets = render(np.full((1, 1, 25, 2), np.nan), layout_of(BODY_25))
    assert (targets.confidence[:, :-1] == 0).all()
    assert (targets.confidence[:, -1] == 1).all()
    assert (targets.affinity == 0).all()


def test_the_order_of_people_does_not_matter():
    xy = people(5)
    one, other = render(xy, layout_of(BODY_25)), render(xy[:, ::-1].copy(), layout_of(BODY_25))
    torch.testing.assert_close(one.confidence, other.confidence, rtol=0, atol=1e-6)
    torch.testing.assert_close(one.affinity, other.affinity, rtol=0, atol=1e-6)


def test_a_limb_shorter_than_a_cell_has_a_field_only_with_round_ends():
    skeleton = make_skeleton("short", ("A", "B"), ((0, 1),))
    xy = [[[[29.0, 28.0], [31.0, 28.0]]]]  # between the centres of the cells at 27.5 and 35.5
    assert (render(xy, layout_of(skeleton)).affinity == 0).all()
    field = render(xy, layout_of(skeleton), round_ends=True).affinity[0]
    assert (field[0] == 1).sum() == 3
    assert (field[1] == 0).all()
