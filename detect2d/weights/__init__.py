"""Network weights by name: published ones, fetched as data, and files that a user has."""

from triskel.detect2d.weights.imported import IMPORTABLE, LICENCE, LICENCE_SHORT, import_weights
from triskel.detect2d.weights.network_file import ALIASES, LoadedNetwork, imported_path, load_network, save_network
from triskel.detect2d.weights.published import (
    LIGHTER_POSE,
    WEIGHTS,
    Weights,
    best_pose_weights,
    crop_network_file,
    find_weights,
    get_weights,
    load_weights,
)
