"""Weights to start a training from: those of another network, whole or as far as they fit."""

import logging

from torch import nn

from triskel.detect2d.layout import PafLayout
from triskel.detect2d.weights import load_network
from triskel.errors import ConfigError

log = logging.getLogger(__name__)


def start_from(network: nn.Module, layout: PafLayout, source: str, *, partially: bool) -> None:
    """Copy weights into a network.

    Args:
        network: what is about to be trained.
        layout: its joints and limbs.
        source: name of weights, or a network file.
        partially: copy what has the same name and shape, and say how much that is, instead of demanding all.

    Raises:
        ConfigError: the source finds other joints or limbs, or is another network; with `partially`, nothing fits.
        InputError: there are no such weights.
    """
    loaded = load_network(source, fused=False)
    theirs, ours = loaded.network.state_dict(), network.state_dict()
    fitting = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
    if not partially:
        if loaded.layout.skeleton != layout.skeleton or loaded.layout.limbs != layout.limbs:
            raise ConfigError(
                f"start_from: {source} finds {_channels(loaded.layout)}, the training {_channels(layout)}; "
                "start_partially: true takes what fits"
            )
        if len(fitting) < len(ours) or len(theirs) != len(ours):
            different = sorted(set(ours) - set(fitting)) or sorted(set(theirs) - set(ours))
            raise ConfigError(
                f"start_from: {source} is another network, it differs in {len(different)} tensors, first "
                f"{different[0]}; start_partially: true takes what fits"
            )
    elif not fitting:
        raise ConfigError(f"start_from: no tensor of {source} fits the network that is to be trained")
    network.load_state_dict(fitting, strict=False)
    if partially:
        numbers, all_numbers = (sum(v.numel() for v in some.values()) for some in (fitting, ours))
        log.warning("start_from: %s gave %.0f %% of the network's numbers", source, 100 * numbers / all_numbers)


def _channels(layout: PafLayout) -> str:
    return f"{len(layout.skeleton)} joints and {len(layout.limbs)} limbs of {layout.skeleton.name}"
