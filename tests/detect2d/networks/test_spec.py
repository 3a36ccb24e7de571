import pytest
import yaml

from triskel import ConfigError
from triskel.detect2d.networks import PRESETS, TABLE_5, NetworkSpec, ResidualSpec, read_spec


def test_the_defaults_are_those_of_body_25():
    assert NetworkSpec() == PRESETS["body_25"].spec == TABLE_5["4-2"]


def test_the_rows_of_table_5_have_the_paper_s_stages():
    counted = {name: (spec.stages.count("paf"), spec.stages.count("cm")) for name, spec in TABLE_5.items()}
    assert counted == {
        "5-1": (5, 1), "4-2": (4, 2), "3-3": (3, 3), "4-1": (4, 1), "3-1": (3, 1), "cm-first 3-3": (3, 3),
    }  # fmt: skip
    assert [spec.stages[0] for spec in TABLE_5.values()] == ["paf"] * 5 + ["cm"]
    for spec in TABLE_5.values():  # one kind after the other, never mixed
        assert sum(a != b for a, b in zip(spec.stages, spec.stages[1:], strict=False)) == 1


@pytest.mark.parametrize("spec", [*TABLE_5.values(), *(one.spec for one in PRESETS.values() if one.spec)])
def test_a_spec_comes_back_from_json_and_yaml(spec):
    assert NetworkSpec.model_validate_json(spec.model_dump_json()) == spec
    assert read_spec(yaml.safe_load(yaml.safe_dump(spec.model_dump(mode="json"))), where="x.yaml") == spec


def test_yaml_names_only_what_differs():
    spec = read_spec(yaml.safe_load("{backbone: residual, stages: [paf, cm], residual: {features: 64}}"), where="x")
    assert spec == NetworkSpec(backbone="residual", stages=("paf", "cm"), residual=ResidualSpec(features=64))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"backbon": "vgg19"}, r"a\.yaml: network: unknown key backbon; known are backbone, stages, block, repeats,"),
        ({"backbone": "residual", "residual": {"width": 3}}, "residual: unknown key width; known are widths, blocks"),
        ({"backbone": "resnet"}, r"backbone: Input should be 'vgg19', 'vgg19_hand' or 'residual', got 'resnet'"),
        ({"stages": ["paf", "paf"]}, r"stages give confidence maps somewhere, .*got \['paf', 'paf'\]"),
        ({"stages": []}, "stages: "),
        ({"stages": ["cm", "pafs"]}, r"stages\.1: Input should be 'paf', 'cm' or 'both', got 'pafs'"),
        ({"width": 0}, "width: Input should be greater than or equal to 1, got 0"),
        ({"width": "wide", "hidden": -1}, r"width: .*\(and 1 more\)"),
        ({"residual": {}}, "residual belongs to the backbone 'residual', and this one is 'vgg19'"),
        ({"width": [["x"] * 1000] * 1000}, r"width: Input should be a valid integer, got \[\['x', 'x'"),
        ([1], "a.yaml: network: Input should be"),
        (None, "a.yaml: network: Input should be"),
    ],
)
def test_a_wrong_description_is_one_line(data, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_spec(data, where="a.yaml: network")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
