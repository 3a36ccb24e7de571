"""Networks by name: OpenPose's as released, the published thin MobileNet, and a compact one for CPUs."""

from dataclasses import dataclass

from triskel.detect2d.layout import PafLayout, layout_of
from triskel.detect2d.networks.maps import PoseNetwork
from triskel.detect2d.networks.mobilenet_thin import MobilenetThin
from triskel.detect2d.networks.paf import PafNetwork
from triskel.detect2d.networks.spec import TABLE_5, NetworkSpec, ResidualSpec, Stage
from triskel.errors import ConfigError
from triskel.skeleton import BODY_25, COCO_18, FACE_70, HAND_21, MPII_15, Skeleton


@dataclass(frozen=True)
class Preset:
    """A network by name.

    Attributes:
        name: what users call it.
        spec: its structure; None for `mobilenet_thin`, which has its own.
        skeleton: the keypoints it finds; None takes any.
        parameters: how many numbers it has; None where that depends on the keypoints.
        released: whether OpenPose published weights for it, which a user may import.
    """

    name: str
    spec: NetworkSpec | None
    skeleton: Skeleton | None
    parameters: int | None
    released: bool = True


def _two_branches(stages: int) -> NetworkSpec:
    """Return the network of the CVPR paper: fields and maps in every stage."""
    both: Stage = "both"
    return NetworkSpec(
        stages=(both,) * stages,
        block="plain7",
        width=128,
        hidden=128,
        first_block="plain3",
        first_repeats=3,
        first_width=128,
        first_hidden=512,
        activation="relu",
    )


_MAPS_ALONE = NetworkSpec(
    backbone="vgg19_hand",
    stages=("cm",) * 6,
    block="plain7",
    width=128,
    hidden=128,
    first_block="plain3",
    first_repeats=0,
    first_hidden=512,
    activation="relu",
)

COMPACT = NetworkSpec(
    backbone="residual",
    stages=("paf", "paf", "cm"),
    block="dense3",
    repeats=1,
    width=48,
    hidden=128,
    first_repeats=1,
    first_width=48,
    first_hidden=128,
    activation="relu",
    residual=ResidualSpec(),
)
"""Plain 3 x 3 convolutions, which processors multiply fastest, most of them at a coarse stride."""

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("body_25", TABLE_5["4-2"], BODY_25, 26_166_084),
        Preset("coco", _two_branches(6), COCO_18, 52_311_446),
        Preset("mpi", _two_branches(6), MPII_15, 51_481_032),
        Preset("mpi_4", _two_branches(4), MPII_15, 34_240_880),
        Preset("hand", _MAPS_ALONE, HAND_21, 36_832_324),
        Preset("face", _MAPS_ALONE, FACE_70, 38_425_706),
        Preset("mobilenet_thin", None, COCO_18, 1_930_872, released=False),
        Preset("compact", COMPACT, None, None, released=False),
    )
}
"""Every network by name."""


def find_preset(name: str) -> Preset:
    """Return a preset by name.

    Raises:
        ConfigError: there is none of that name; the message lists those there are.
    """
    if name not in PRESETS:
        raise ConfigError(f"no network is called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def build_network(network: str | NetworkSpec, layout: PafLayout | None = None) -> PoseNetwork:
    """Build a network with random weights.

    Args:
        network: the name of a preset, or a structure of your own.
        layout: its channels; the preset's own when None. `compact` takes any, and a layout without limbs turns its
            stages into ones of confidence maps.

    Raises:
        ConfigError: the name is unknown, or the layout does not suit the network.
    """
    spec: NetworkSpec | None
    if isinstance(network, NetworkSpec):
        spec, skeleton, what = network, None, "a network of your own"
    else:
        preset = find_preset(network)
        spec, skeleton, what = preset.spec, preset.skeleton, f"{preset.name!r}"
    if layout is None:
        if skeleton is None:
            raise ConfigError(f"{what} takes any joints, so a layout says which")
        layout = layout_of(skeleton)
    if skeleton is not None and layout != layout_of(skeleton):
        raise ConfigError(f"{what} finds the joints and limbs of {skeleton.name}, not those of {layout.skeleton.name}")
    if spec is None:
        return MobilenetThin()
    if not isinstance(network, NetworkSpec) and skeleton is None and not layout.limbs:
        spec = spec.without_affinity()
    return PafNetwork(spec, layout)
