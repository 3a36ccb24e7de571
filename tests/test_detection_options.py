"""The options that `detect`, `process` and `evaluate` share: presets, what changes one thing of them, defaults."""

from dataclasses import replace

import pytest

from triskel.commands.detection_options import detection
from triskel.detect2d import DetectOptions, suited_parse
from triskel.detect2d.parsing import MAXIMISE_POSITIVES
from triskel.detect2d.quality import QUALITIES, RECORDING, suited_whole_body


def test_the_defaults_of_the_command_are_those_of_the_library():
    how = detection()
    assert how.options == replace(QUALITIES["balanced"].detect_options(), parse=suited_parse("body"))
    assert how.parts == suited_whole_body("body")
    recording = detection(recording=True)
    assert recording.options == replace(RECORDING.detect_options(), parse=suited_parse("body"))
    assert recording.parts == suited_whole_body("body", quality=RECORDING)


def test_another_network_runs_alone_unless_told_otherwise():
    how = detection(model="body_25")
    assert how.options == DetectOptions(parse=suited_parse("body_25"))
    assert (how.parts.refine, how.parts.hands, how.parts.face) == (False, False, False)
    assert detection(model="body_25", hands=True).parts.hands


@pytest.mark.parametrize("name", QUALITIES)
def test_a_preset_sets_size_scales_and_second_look_and_an_option_changes_one_thing_of_it(name):
    preset = QUALITIES[name]
    how = detection(quality=name)
    assert (how.options.short_side, how.options.scales, how.options.mirror) == (
        preset.short_side,
        preset.scales,
        preset.mirror,
    )
    assert (how.parts.pose_model, how.parts.passes) == (preset.pose_model, preset.passes)
    assert detection(quality=name, scales="0.9").options == replace(how.options, scales=(0.9,))
    assert detection(quality=name, net_size="200").options == replace(how.options, short_side=200)
    assert detection(quality=name, mirror=not preset.mirror).options == replace(how.options, mirror=not preset.mirror)
    assert not detection(quality=name, face=False).parts.face


def test_options_of_the_command_become_those_of_the_detector():
    options = detection(
        model="body_25", net_size="656x368", scales="0.7,1", rotations="0,180", mirror=False, device="cuda:0,cuda:1",
        maximise_positives=True, people_max=4, method="bipartite",
    ).options  # fmt: skip
    assert (options.net_size, options.scales, options.rotations_deg) == ((656, 368), (0.7, 1.0), (0.0, 180.0))
    assert options.devices == ("cuda:0", "cuda:1")
    assert options.parse.peak_threshold == MAXIMISE_POSITIVES.peak_threshold
    assert (options.parse.most_people, options.parse.method) == (4, "bipartite")
    assert detection(net_size="368").options.short_side == 368
