"""Ground truth: confidence maps and part affinity fields of labelled people (sections 3.3 and 3.4 of the paper).

Everything is evaluated at the centres of the map cells, on whatever device the keypoints are on, for a whole batch at
once. People are taken one after the other, so that memory does not grow with a crowd.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from triskel.detect2d.layout import PafLayout


class Targets(NamedTuple):
    """What a network should answer.

    Attributes:
        confidence: (B, J + 1, h, w) S*, equations 7 and 8, and the background 1 - max_j S*_j.
        affinity: (B, 2 L, h, w) L*, equations 9 and 10, x then y of each limb.
    """

    confidence: Tensor
    affinity: Tensor


def render_targets(
    keypoints: Tensor,
    layout: PafLayout,
    *,
    grid_wh: tuple[int, int],
    sigma_px: float,
    limb_px: float,
    round_ends: bool = False,
) -> Targets:
    """Render the ground truth of a batch.

    Args:
        keypoints: (B, P, J, 2) network input px, NaN where unlabelled; P is the most people in an image.
        layout: joints, limbs and stride.
        grid_wh: cells of the maps, width and height.
        sigma_px: sigma of equation 7, exp(-d^2 / sigma^2), input px.
        limb_px: sigma_l of equation 9, half the width of a limb, input px.
        round_ends: take every cell within `limb_px` of the limb, around its ends as well. Equation 9 cuts limbs off
            straight at both joints, and one that is shorter than a cell then often has no cell at all.
    """
    keypoints = keypoints.float()
    x = _cell_centres(grid_wh[0], layout.stride, keypoints.device)
    y = _cell_centres(grid_wh[1], layout.stride, keypoints.device)
    return Targets(
        confidence=_with_background(_confidence(keypoints, x, y, sigma_px)),
        affinity=_affinity(keypoints, layout, x, y, limb_px, round_ends=round_ends),
    )


def _cell_centres(cells: int, stride: int, device: torch.device) -> Tensor:
    """Return where the cells of one axis look, input px: the half-cell rule of CONVENTIONS.md."""
    return (torch.arange(cells, device=device, dtype=torch.float32) + 0.5) * stride - 0.5


def _confidence(keypoints: Tensor, x: Tensor, y: Tensor, sigma_px: float) -> Tensor:
    """Return (B, J, h, w): equation 7 for each person, the maximum over people of equation 8."""
    batch, people, joints, _ = keypoints.shape
    maps = torch.zeros(batch, joints, len(y), len(x), device=keypoints.device)
    for person in range(people):
        at = keypoints[:, person]
        # The Gaussian of a joint is the product of one along x and one along y.
        along_x = torch.exp(-(((x - at[..., :1]) / sigma_px) ** 2))
        along_y = torch.exp(-(((y - at[..., 1:]) / sigma_px) ** 2))
        one = (along_y[..., :, None] * along_x[..., None, :]).nan_to_num_(nan=0.0)
        torch.maximum(maps, one, out=maps)
    return maps


def _with_background(maps: Tensor) -> Tensor:
    background = 1.0 - maps.amax(dim=1, keepdim=True)
    return torch.cat([maps, background], dim=1)


def _affinity(
    keypoints: Tensor, layout: PafLayout, x: Tensor, y: Tensor, limb_px: float, *, round_ends: bool
) -> Tensor:
    """Return (B, 2 L, h, w): the unit vector on each person's limb (eq. 9), averaged over people there (eq. 10)."""
    batch, people = keypoints.shape[:2]
    limbs = torch.from_numpy(layout.limb_array).to(keypoints.device)
    total = torch.zeros(batch, len(limbs), 2, len(y), len(x), device=keypoints.device)
    count = torch.zeros(batch, len(limbs), len(y), len(x), device=keypoints.device)
    for person in range(people):
        a, b = keypoints[:, person, limbs[:, 0]], keypoints[:, person, limbs[:, 1]]
        length = torch.linalg.vector_norm(b - a, dim=-1)
        unit = (b - a) / length.clamp_min(1e-6)[..., None]
        # From the first part to every cell, along the limb and across it.
        dx = (x - a[..., :1])[..., None, :]
        dy = (y - a[..., 1:])[..., :, None]
        ux, uy = unit[..., 0, None, None], unit[..., 1, None, None]
        along = dx * ux + dy * uy
        across = dy * ux - dx * uy
        beyond = torch.relu(-along) + torch.relu(along - length[..., None, None])
        near = across**2 + beyond**2 <= limb_px**2
        # Comparisons with the NaN of an unlabelled part are false: no limb.
        on_limb = near if round_ends else near & (beyond == 0)
        on_limb &= (length > 1e-6)[..., None, None]
        total += torch.where(on_limb[:, :, None], unit[..., None, None].nan_to_num(nan=0.0), 0.0)
        count += on_limb
    return (total / count.clamp_min(1.0)[:, :, None]).flatten(1, 2)
