import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from triskel import InputError
from triskel.detect2d.networks.mobilenet_thin import MobilenetThin, graph_names
from triskel.detect2d.weights.convert import convert_mobilenet_thin

constant = runpy.run_path(str(Path(__file__).with_name("protobuf.py")))["constant"]  # tests are not a package


@pytest.fixture(scope="module")
def published():
    """Return node name to array, in TensorFlow's layout, of a network with random weights, and its state."""
    torch.manual_seed(0)
    model = MobilenetThin()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    nodes = {}
    for parameter, node in graph_names(model).items():
        array = state[parameter].numpy()
        if parameter.endswith("depthwise.weight"):
            array = array.transpose(2, 3, 0, 1)
        elif parameter.endswith("weight"):
            array = array.transpose(2, 3, 1, 0)
        nodes[node] = np.ascontiguousarray(array)
    return nodes, state


def write(path, nodes):
    path.write_bytes(b"".join(constant(name.encode(), array) for name, array in nodes.items()))
    return path


def test_every_parameter_comes_from_its_layer(tmp_path, published):
    nodes, state = published
    converted = convert_mobilenet_thin(write(tmp_path / "g.pb", nodes))
    assert set(converted) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(converted[name], value, err_msg=name)


def test_a_missing_layer_is_named(tmp_path, published):
    nodes = {name: array for name, array in published[0].items() if "Stage3_L2_4_pointwise/weights" not in name}
    with pytest.raises(InputError, match="no layer 'Openpose/MConv_Stage3_L2_4_pointwise/weights'"):
        convert_mobilenet_thin(write(tmp_path / "g.pb", nodes))


def test_a_layer_of_another_shape_is_named_with_both_shapes(tmp_path, published):
    nodes = published[0] | {"MobilenetV1/Conv2d_0/weights": np.zeros((3, 3, 3, 32), np.float32)}
    with pytest.raises(InputError, match=r"Conv2d_0/weights' is \(32, 3, 3, 3\), expected \(24, 3, 3, 3\)"):
        convert_mobilenet_thin(write(tmp_path / "g.pb", nodes))


def test_a_layer_with_too_few_axes_is_refused(tmp_path, published):
    nodes = published[0] | {"MobilenetV1/Conv2d_0/weights": np.zeros(648, np.float32)}
    with pytest.raises(InputError, match="Conv2d_0/weights"):
        convert_mobilenet_thin(write(tmp_path / "g.pb", nodes))
