"""A network in one file: its weights, structure and keypoints as safetensors; and networks by name or path.

Nothing in such a file is code. The structure and the keypoints are JSON in the file's header, so it can be told what it
is, and whether it fits, before a weight is read.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from triskel.detect2d.layout import PafLayout, layout_of
from triskel.detect2d.networks import PRESETS, MobilenetThin, PafNetwork, PoseNetwork, build_network, read_spec
from triskel.detect2d.weights.compare import compare_layers
from triskel.detect2d.weights.layout_json import layout_from_json, layout_to_json
from triskel.detect2d.weights.published import WEIGHTS, load_weights
from triskel.errors import ConfigError, InputError, JobError
from triskel.fetch import cache_folder
from triskel.files import atomic_path

FORMAT = "triskel-network"
VERSION = "1"
ALIASES = {"body": "mobilenet_thin"}


class LoadedNetwork(NamedTuple):
    """A network with its weights.

    Attributes:
        network: in evaluation mode, on the CPU.
        layout: what its channels mean.
        name: as published, or the file's name without suffix.
        notes: what was noted with the weights: licence, source, training step.
    """

    network: PoseNetwork
    layout: PafLayout
    name: str
    notes: dict[str, str]


def save_network(
    path: str | Path, network: PoseNetwork, layout: PafLayout, *, notes: Mapping[str, str] | None = None
) -> None:
    """Write a network into one file, atomically.

    Args:
        path: of the file, ending in .safetensors.
        network: its weights are written as they are, on whichever device.
        layout: what its channels mean.
        notes: texts to keep with it, such as licence or training step.

    Raises:
        InputError: the path has another suffix, or a folder stands there.
        JobError: it cannot be written, as where the disk is full.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"{path}: a network file is called ....safetensors")
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "layout": layout_to_json(layout),
        "notes": json.dumps(dict(notes or {})),
    }
    if isinstance(network, PafNetwork):
        assert layout == network.layout, "a network is saved with its own layout"
        metadata |= {"spec": network.spec.model_dump_json(), "fused": str(network.fused).lower()}
    else:
        metadata["preset"] = _preset_of(network)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    try:
        with atomic_path(path) as temporary:
            save_file(state, temporary, metadata=metadata)
    except SafetensorError as error:
        raise JobError(f"{path}: cannot be written: {error}") from error


def load_network(name_or_path: str | Path, *, fused: bool = True) -> LoadedNetwork:
    """Load a network with its weights.

    Args:
        name_or_path: `body`, which is `mobilenet_thin`; a network whose weights the user imported, such as `body_25`;
            or the path of a file written by `save_network`.
        fused: fold BatchNorm into the convolutions, for inference. Pass False to train on.

    Raises:
        InputError: nothing is called so; the weights were not imported yet; or the file is damaged, foreign, or not
            what it says.
        JobError: published weights cannot be fetched.
    """
    name = ALIASES.get(str(name_or_path), str(name_or_path))
    if name in WEIGHTS:
        skeleton = WEIGHTS[name].skeleton
        if skeleton is None:
            raise InputError(f"{name} looks at one person, hand or face at a time; it is no network that finds people")
        layout = layout_of(skeleton)
        network = build_network(name, layout)
        network.load_state_dict(load_weights(name))
        return LoadedNetwork(network.eval(), layout, name, {"licence": WEIGHTS[name].licence})
    if name in PRESETS:
        path = imported_path(name)
        if not PRESETS[name].released:
            raise InputError(f"{name} is a structure without published weights: train it, and give the file's path")
        if not path.is_file():
            raise InputError(f"the weights of {name} are not here: 'triskel weights import FILE --as {name}'")
    else:
        path = Path(name_or_path)
        if path.suffix != ".safetensors":
            names = ", ".join([*ALIASES, *(one for one in PRESETS if one in WEIGHTS or PRESETS[one].released)])
            raise InputError(f"no network is called {name!r}: there are {names}, or the path of a .safetensors file")
    loaded = read_network(path)
    return loaded._replace(network=loaded.network.fuse()) if fused else loaded


def imported_path(preset: str) -> Path:
    """Return where the weights that a user imports for a preset are kept; they may not be there yet."""
    return cache_folder() / "weights" / f"{preset}-imported.safetensors"


def read_network(path: Path) -> LoadedNetwork:
    """Read a file written by `save_network`, as it was saved.

    Raises:
        InputError: the file is missing, damaged, foreign, of a later version, or its weights are not of the structure
            and keypoints it names.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        state = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        raise InputError(f"{path}: {reason}") from error
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path}: not a network file of triskel; weights of other programs are imported, see --help")
    if metadata.get("version") != VERSION:
        raise InputError(f"{path}: written as version {metadata.get('version')!r}, this triskel reads {VERSION!r}")
    try:
        layout = layout_from_json(metadata["layout"])
        notes = {str(key): str(value) for key, value in json.loads(metadata["notes"]).items()}
        network = _empty_network(metadata, layout, where=f"{path}: spec")
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        detail = str(error).removeprefix(f"{path}: ") if isinstance(error, ConfigError) else f"{error!r}"
        raise InputError(f"{path}: damaged, its description is not one: {' '.join(detail.split())}") from error
    _fill(
        network, state, path, where=f"{path}: not a network of {len(layout.skeleton)} joints ({layout.skeleton.name})"
    )
    return LoadedNetwork(network.eval(), layout, path.stem, notes)


def _preset_of(network: PoseNetwork) -> str:
    assert isinstance(network, MobilenetThin), f"no way to describe a {type(network).__name__}"
    return "mobilenet_thin"


def _empty_network(metadata: Mapping[str, str], layout: PafLayout, *, where: str) -> PoseNetwork:
    """Return the network that the header describes, without memory for its weights: those come from the file."""
    with torch.device("meta"):
        if "spec" not in metadata:
            return build_network(metadata["preset"], layout)
        network = PafNetwork(read_spec(json.loads(metadata["spec"]), where=where), layout)
        return network.fuse() if metadata["fused"] == "true" else network


def _fill(network: PoseNetwork, state: Mapping[str, Tensor], path: Path, *, where: str) -> None:
    """Put the file's weights into a network, after a check of their names, shapes and numbers."""
    expected = network.state_dict()
    compare_layers(
        {name: [tuple(value.shape)] for name, value in state.items()},
        {name: [tuple(value.shape)] for name, value in expected.items()},
        where=where,
    )
    # A training that ran away leaves a file that reads well and finds nobody.
    broken = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise InputError(
            f"{path}: holds weights that are no finite numbers ({len(broken)} layers, the first {broken[0]})"
        )
    network.load_state_dict({name: state[name].to(value.dtype) for name, value in expected.items()}, assign=True)
