"""Weights that users bring: OpenPose's caffemodels, converted once and kept in the user's cache folder."""

from pathlib import Path

import torch

from triskel.detect2d.layout import layout_of
from triskel.detect2d.networks import PRESETS, build_network
from triskel.detect2d.weights.caffemodel import caffe_state
from triskel.detect2d.weights.network_file import imported_path, save_network
from triskel.errors import InputError

LICENCE = (
    "OpenPose's weights are for non-commercial research use only; converted they keep that licence, and it is yours to "
    "observe"
)
"""What a user is told, and what stands in the converted file."""

LICENCE_SHORT = "non-commercial research"
"""The same for a table."""

IMPORTABLE = tuple(name for name, preset in PRESETS.items() if preset.released)
"""Presets whose weights OpenPose published, and users may import."""


def import_weights(file: str | Path, preset: str) -> Path:
    """Convert a caffemodel of OpenPose and keep it under the preset's name, atomically.

    The file is the user's, and its licence goes with it.

    Args:
        file: the caffemodel, of either generation.
        preset: which network it is: one of `IMPORTABLE`.

    Returns:
        The safetensors file that `load_network(preset)` loads from now on.

    Raises:
        InputError: the preset is unknown, or the file is not its weights; what was imported before stays.
    """
    if preset not in IMPORTABLE:
        raise InputError(f"no weights are imported as {preset!r}; there are {', '.join(IMPORTABLE)}")
    skeleton = PRESETS[preset].skeleton
    assert skeleton is not None
    layout = layout_of(skeleton)
    with torch.device("meta"):  # no memory for weights that the file's replace
        network = build_network(preset, layout)
    network.load_state_dict(caffe_state(Path(file), preset, network=network), assign=True)
    path = imported_path(preset)
    save_network(path, network, layout, notes={"licence": LICENCE, "source": Path(file).name})
    return path
