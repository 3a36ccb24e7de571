import pytest
import torch
from torch import nn
from torch.nn import functional

from triskel.detect2d.layout import PafLayout, layout_of
from triskel.detect2d.networks import TABLE_5, NetworkSpec, PafNetwork, ResidualSpec, build_network
from triskel.skeleton import COCO_18, make_skeleton

LAYOUT = PafLayout(make_skeleton("bar", ("a", "b"), ((0, 1),)), ((0, 1),))  # 3 confidence maps, 2 fields
SMALL = {"width": 4, "hidden": 8, "first_width": 4, "first_hidden": 8, "repeats": 1, "first_repeats": 1}
COMPACT = ResidualSpec(widths=(8, 8, 8, 8), blocks=(0, 0, 1, 1), features=16)


@pytest.fixture(autouse=True)
def one_thread():
    """Networks of a few channels: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def small(stages, **options):
    torch.manual_seed(0)
    spec = NetworkSpec(**{"backbone": "residual", "residual": COMPACT, "stages": stages, **SMALL, **options})
    return PafNetwork(spec, LAYOUT)


def image(*, batch=1, size_wh=(40, 32)):
    return torch.rand(batch, 3, size_wh[1], size_wh[0], generator=torch.Generator().manual_seed(1)) * 255


def seen_channels(network):
    """Return how many channels each stage's input has beyond the image features."""
    return [
        {branch.body[0].convs[0].conv.in_channels - 16 for branch in stage.children() if branch is not None}
        for stage in network.stages
    ]


@pytest.mark.parametrize(
    ("name", "seen"),
    [  # equations 1 to 3: fields see the fields before; maps the last fields and the maps before
        ("5-1", [0, 2, 2, 2, 2, 2]),
        ("4-2", [0, 2, 2, 2, 2, 5]),
        ("3-3", [0, 2, 2, 2, 5, 5]),
        ("4-1", [0, 2, 2, 2, 2]),
        ("3-1", [0, 2, 2, 2]),
        ("cm-first 3-3", [0, 3, 3, 3, 5, 5]),
    ],
)
def test_each_row_of_table_5_feeds_its_stages_as_the_paper_does(name, seen):
    stages = TABLE_5[name].stages
    network = small(stages).eval()
    assert seen_channels(network) == [{count} for count in seen]
    maps = network.stage_maps(image())
    assert ["paf" if one.confidence is None else "cm" for one in maps] == list(stages)
    for one in maps:
        assert one.confidence is None or one.confidence.shape == (1, 3, 4, 5)
        assert one.affinity is None or one.affinity.shape == (1, 2, 4, 5)


def test_both_sees_fields_and_maps_of_the_stage_before():
    network = small(("both",) * 3).eval()
    assert seen_channels(network) == [{0}, {5}, {5}]
    assert all(None not in one for one in network.stage_maps(image()))


@pytest.mark.parametrize("stages", [("paf", "paf", "cm", "cm"), ("cm", "paf", "cm"), ("both", "both")])
def test_the_network_returns_the_last_maps_of_either_kind(stages):
    network = small(stages).eval()
    with torch.inference_mode():
        maps, (confidence, affinity) = network.stage_maps(image()), network(image())
    assert torch.equal(confidence, [one.confidence for one in maps if one.confidence is not None][-1])
    assert torch.equal(affinity, [one.affinity for one in maps if one.affinity is not None][-1])


def test_a_stage_sees_what_the_stage_before_it_predicts():
    network = small(("paf", "cm", "cm")).eval()
    with torch.inference_mode():
        before = network.stage_maps(image())
        network.stages[0].affinity.maps.conv.bias += 1  # shifts the fields of the first stage
        after = network.stage_maps(image())
    torch.testing.assert_close(after[0].affinity, before[0].affinity + 1, rtol=0, atol=1e-5)
    for t in (1, 2):
        assert (after[t].confidence - before[t].confidence).abs().max() > 1e-6


def test_fields_come_first_beside_7_x_7_and_features_first_beside_dense_triples():
    for block, order in (("plain7", ["affinity", "confidence", "features"]), ("dense3", None)):
        network = small(("both", "both"), block=block)
        seen = {}
        network.backbone.register_forward_hook(lambda *a, s=seen: s.update(features=a[2]))
        network.stages[0].register_forward_hook(lambda *a, s=seen: s.update(a[2]._asdict()))
        network.stages[1].register_forward_pre_hook(lambda *a, s=seen: s.update(input=a[1][0]))
        network.eval()(image())
        expected = [seen[name] for name in order or ["features", "affinity", "confidence"]]
        assert torch.equal(seen["input"], torch.cat(expected, dim=1))


@pytest.mark.parametrize("options", [{}, {"block": "plain7"}, {"block": "plain3", "activation": "relu"}])
def test_channels_last_changes_the_memory_and_not_the_maps(options):
    network = small(("paf", "cm"), **options).eval()
    with torch.inference_mode():
        expected = network(image())
        network.to(memory_format=torch.channels_last)
        got = network(image().contiguous(memory_format=torch.channels_last))
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("options", [{"activation": "prelu"}, {"activation": "relu"}])
def test_bfloat16_gives_nearly_the_maps_of_float32_and_trains(options):
    network = small(("paf", "cm"), **options)
    with torch.no_grad():
        for stage in network.stages:  # maps of order 1, where rounding can show
            for branch in (one for one in stage.children() if one is not None):
                branch.maps.conv.weight.normal_(std=1)
    network.eval()
    with torch.inference_mode():
        expected = network(image())
        with torch.autocast("cpu", torch.bfloat16):
            got = network(image())
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == torch.bfloat16
        assert b.abs().max() > 0.3
        torch.testing.assert_close(a.float(), b, rtol=0, atol=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        loss = sum(
            one.float().square().sum()
            for maps in network.train().stage_maps(image(batch=2))
            for one in maps
            if one is not None
        )
    loss.backward()
    assert all(one.grad is not None and torch.isfinite(one.grad).all() for one in network.parameters())


def test_the_first_maps_are_near_zero_so_the_first_loss_is_that_of_zero_maps():
    torch.manual_seed(0)
    for network in (build_network("compact", layout_of(COCO_18)), PafNetwork(TABLE_5["3-1"], layout_of(COCO_18))):
        with torch.inference_mode():
            for maps in network.train().stage_maps(image(batch=2, size_wh=(64, 64))):
                assert all(one.abs().max() < 0.1 for one in maps if one is not None)


def test_folding_batch_norm_keeps_the_maps():
    network = small(("paf", "paf", "cm"))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        for _ in range(5):  # running means that are not those of a new layer
            network.train()(image(batch=4))
        for stage in network.stages:
            for branch in (one for one in stage.children() if one is not None):
                branch.maps.conv.weight.normal_(std=1)
        network.eval()
        expected = network(image())
        names = set(network.state_dict())
        fused = network.fuse()(image())
    assert any("norm" in name for name in names)
    assert not any("norm" in name for name in network.state_dict())
    for a, b in zip(fused, expected, strict=True):
        assert b.abs().max() > 0.3
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_an_odd_number_of_cells_leaves_the_coarse_level_where_it_is():
    """A picture of 9 x 9 cells gives what it gives as a part of 10 x 10, away from the border between them."""
    level = small(("cm", "paf"), residual=ResidualSpec(widths=(8,) * 4, blocks=(0,) * 4, features=16)).backbone.eval()
    large = torch.rand(1, 3, 80, 80, generator=torch.Generator().manual_seed(2)) - 0.5
    with torch.inference_mode():
        got, expected = level(large[..., :72, :72]), level(large)
    assert got.shape == (1, 16, 9, 9)
    torch.testing.assert_close(got[..., :5, :5], expected[..., :5, :5], rtol=0, atol=1e-6)
    assert (got[..., 8, 8] - expected[..., 8, 8]).abs().max() > 1e-3  # the border itself is another


def test_symmetric_weights_give_a_mirrored_picture_mirrored_maps():
    """No cell lies beside its pixels: what the mean over the mirrored picture rests on."""
    network = small(("paf", "cm")).eval()
    with torch.inference_mode():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_((module.weight + module.weight.flip(-1)) / 2)
        x = image(size_wh=(64, 48))
        maps, mirrored = network(x), network(x.flip(-1))
    for a, b in zip(maps, mirrored, strict=True):
        assert a.std() > 1e-5
        torch.testing.assert_close(b.flip(-1), a, rtol=0, atol=1e-7)


def test_compact_learns_a_point_and_a_direction_from_scratch():
    torch.manual_seed(3)
    network = small(("paf", "cm"), residual=ResidualSpec(widths=(8, 16, 16, 16), blocks=(0, 0, 1, 1), features=16))
    rng = torch.Generator().manual_seed(0)
    images, confidence, affinity = torch.zeros(8, 3, 64, 64), torch.zeros(8, 3, 8, 8), torch.zeros(8, 2, 8, 8)
    for i, (x, y) in enumerate(torch.randint(1, 7, (8, 2), generator=rng).tolist()):
        images[i, :, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8] = 255
        confidence[i, 0, y, x], affinity[i, 0, y, x] = 1, 1
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        fields, maps = network.stage_maps(images)
        loss = functional.mse_loss(fields.affinity, affinity) + functional.mse_loss(maps.confidence, confidence)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    zero = (affinity.square().mean() + confidence.square().mean()).item()
    assert losses[0] == pytest.approx(zero, rel=0.05)
    assert losses[-1] < 0.1 * zero
