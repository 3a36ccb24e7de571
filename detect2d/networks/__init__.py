"""PAF networks: images to confidence maps and part affinity fields (section 3.1 of the paper)."""

from triskel.detect2d.networks.maps import PoseNetwork, StageMaps
from triskel.detect2d.networks.mobilenet_thin import MobilenetThin
from triskel.detect2d.networks.paf import PafNetwork
from triskel.detect2d.networks.presets import PRESETS, Preset, build_network, find_preset
from triskel.detect2d.networks.spec import TABLE_5, NetworkSpec, ResidualSpec, read_spec
