"""The loss against equations 4 to 6, written out as loops."""

import numpy as np
import pytest
import torch

from triskel.detect2d.networks import StageMaps
from triskel.detect2d.training.loss import Mask, stage_losses
from triskel.detect2d.training.targets import Targets

B, J, L, H, W = 2, 4, 3, 5, 6


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(1)

    def make(*shape):
        return torch.rand(*shape, generator=generator)

    return make


@pytest.fixture
def mask():
    cells = torch.ones(B, H, W)
    cells[0, :, 3:] = 0
    return Mask(cells, torch.tensor([1.0, 0, 1, 1]), torch.tensor([1.0, 1, 0, 0, 1, 1]))


def direct(maps, target, cells, channels):
    """The sum over channels and places p of W(p) times the squared difference, for one image."""
    total = 0.0
    for image in range(len(maps)):
        for k in range(maps.shape[1]):
            for row in range(H):
                for column in range(W):
                    weight = float(cells[image, row, column]) * float(channels[k])
                    total += weight * float(maps[image, k, row, column] - target[image, k, row, column]) ** 2
    return total / len(maps)


def test_each_stage_has_the_loss_of_its_equation(maps, mask):
    targets = Targets(maps(B, J, H, W), maps(B, 2 * L, H, W))
    paf, cm = maps(B, 2 * L, H, W), maps(B, J, H, W)
    losses = stage_losses([StageMaps(None, paf), StageMaps(cm, None), StageMaps(cm, paf)], targets, mask)
    f_L = direct(paf, targets.affinity, mask.cells, mask.affinity)
    f_S = direct(cm, targets.confidence, mask.cells, mask.confidence)
    np.testing.assert_allclose(losses.numpy(), [f_L, f_S, f_L + f_S], rtol=1e-5)


def test_what_is_masked_gets_no_gradient(maps, mask):
    targets = Targets(maps(B, J, H, W), maps(B, 2 * L, H, W))
    paf, cm = maps(B, 2 * L, H, W).requires_grad_(), maps(B, J, H, W).requires_grad_()
    stage_losses([StageMaps(cm, paf)], targets, mask).sum().backward()
    assert (cm.grad[:, 1] == 0).all()  # a joint that the data set does not label
    assert (paf.grad[:, 2:4] == 0).all()  # a limb that it does not label
    assert (cm.grad[0, :, :, 3:] == 0).all()  # where people are not labelled
    assert (paf.grad[0, :, :, 3:] == 0).all()
    assert (cm.grad[1, 0] != 0).all()


def test_perfect_maps_have_no_loss(maps, mask):
    targets = Targets(maps(B, J, H, W), maps(B, 2 * L, H, W))
    assert stage_losses([StageMaps(*targets)], targets, mask).tolist() == [0]


def test_maps_of_another_number_of_channels_are_refused(maps, mask):
    targets = Targets(maps(B, J, H, W), maps(B, 2 * L, H, W))
    with pytest.raises(ValueError, match=r"maps \(2, 5, 5, 6\), the ground truth is \(2, 4, 5, 6\)"):
        stage_losses([StageMaps(maps(B, J + 1, H, W), None)], targets, mask)
