"""The loop: it learns, it can be killed and goes on with the same numbers, it stops before it spoils anything."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from triskel import ConfigError, InputError, JobError
from triskel.detect2d.training import train
from triskel.detect2d.training.checkpoint import STATE_FILE
from triskel.detect2d.training.guard import LossGuard
from triskel.detect2d.training.optimiser import learning_rate
from triskel.detect2d.weights import load_network


def weights(folder, file="last.safetensors"):
    return load_file(folder / file)


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_training_leaves_networks_a_log_and_pictures(make_config):
    result = train(make_config(validation=[make_config().datasets[0].model_dump()]))
    files = {path.name for path in result.folder.iterdir()}
    assert files == {
        "state.pt", "last.safetensors", "best.safetensors", "config.yaml", "log.csv", "loss.png", "batch.png",
        "tensorboard",
    }  # fmt: skip
    with (result.folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [math.isnan(float(row["validation"])) for row in rows] == [True, True, False, True, True, False]
    assert list((result.folder / "tensorboard").iterdir())
    loaded = load_network(result.folder / "last.safetensors")
    assert loaded.layout.skeleton.joints == ("Top", "Left", "Right")
    assert loaded.notes["step"] == "6"
    assert result.step == 6
    assert not result.stopped


def test_going_on_gives_the_very_weights_of_a_training_without_a_break(make_config, tmp_path):
    settings = {
        "augment": {"focus": "person", "rotation_deg": 30, "flip": 0.5, "scale": [0.8, 1.2]},
        "optimiser": {"lr": 1e-3, "warmup": 3, "schedule": "cosine", "clip": 100.0},
        "steps": 8,
        "checkpoint_every": 4,
    }
    whole = train(make_config(out=tmp_path / "whole", **settings))
    config = make_config(out=tmp_path / "broken", **settings)

    def kill(step, steps, *, loss, images_per_s):
        if step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, progress=kill)
    resumed = train(config, resume=True)
    assert_same(weights(resumed.folder), weights(whole.folder))
    assert resumed.loss == whole.loss


def test_the_number_of_workers_changes_nothing(make_config, tmp_path):
    one = train(make_config(out=tmp_path / "a", workers=0))
    other = train(make_config(out=tmp_path / "b", workers=2))
    assert_same(weights(one.folder), weights(other.folder))


def test_a_loss_that_is_no_number_stops_the_training_and_keeps_the_last_good_state(make_config, monkeypatch):
    config = make_config(steps=12)
    train(make_config(steps=6))
    before = {name: (config.out / name).read_bytes() for name in (STATE_FILE, "last.safetensors", "best.safetensors")}
    from triskel.detect2d.training import loop

    real, calls = loop.render_targets, []

    def poisoned(*args, **kwargs):
        calls.append(1)
        targets = real(*args, **kwargs)
        return targets if len(calls) < 3 else targets._replace(confidence=targets.confidence * math.nan)

    monkeypatch.setattr(loop, "render_targets", poisoned)
    with pytest.raises(
        JobError,
        match=r"the loss or its gradient became nan at step 9: training stopped, the last good state is .*state",
    ):
        train(config, resume=True)
    assert before == {name: (config.out / name).read_bytes() for name in before}


def test_a_loss_that_explodes_is_told_from_one_that_is_noisy():
    guard, rng = LossGuard(), np.random.default_rng(0)
    for step in range(500):
        guard.watch(step, 100 * rng.uniform(0.2, 3), saved="here")

    def explode():
        for step in range(500, 600):
            guard.watch(step, 5000.0, saved="here")

    with pytest.raises(JobError, match=r"the loss grew from .* training stopped, here; lower optimiser\.lr"):
        explode()


def test_a_checkpoint_of_an_interrupt_does_not_compete_for_the_best(make_config, tmp_path):
    """The mean since the last regular checkpoint goes on after a break: the best is that of a whole training."""
    settings = {"steps": 9, "checkpoint_every": 3}
    whole = train(make_config(out=tmp_path / "whole", **settings))
    config = make_config(out=tmp_path / "stopped", **settings)

    def interrupt(step, steps, *, loss, images_per_s):
        if step in (4, 5):
            os.kill(os.getpid(), signal.SIGINT)

    assert train(config, progress=interrupt).step == 4
    assert train(config, resume=True, progress=interrupt).step == 5
    done = train(config, resume=True)
    assert done.best == whole.best
    assert_same(weights(done.folder, "best.safetensors"), weights(whole.folder, "best.safetensors"))


def test_validation_looks_at_every_image_once(make_config, monkeypatch):
    from triskel.detect2d.training import batches

    seen, real = [], batches.draw_sample

    def watched(dataset, unit, *others):
        seen.append((len(dataset.units), unit))
        return real(dataset, unit, *others)

    monkeypatch.setattr(batches, "draw_sample", watched)
    data = make_config().datasets[0].model_dump()
    train(make_config(steps=1, validation=[data | {"first": 5}]))
    assert sorted(unit for units, unit in seen if units == 5) == [0, 1, 2, 3, 4]


def test_limbs_that_leave_people_in_pieces_are_said(make_config, kites, tmp_path, caplog):
    own = tmp_path / "mine.yaml"
    own.write_text((kites / "kite.yaml").read_text().replace("- - Top\n  - Left\n", ""))
    assert "Left" in own.read_text()
    train(make_config(skeleton=str(own), steps=1))
    assert "the limbs of kite leave its joints in 2 pieces, and so every person found: Top Right; Left" in caplog.text


def test_a_folder_with_a_training_is_not_overwritten_and_none_is_not_gone_on_with(make_config):
    config = make_config()
    with pytest.raises(InputError, match="holds no training to go on with"):
        train(config, resume=True)
    train(config)
    before = (config.out / STATE_FILE).read_bytes()
    with pytest.raises(InputError, match="holds a training; go on with --resume"):
        train(config)
    assert (config.out / STATE_FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"crop": 128}, r"another crop \(64, now 128\)"),
        ({"optimiser": {"lr": 0.5}}, "another optimiser"),
        ({"skeleton": "coco_17"}, "another joints"),
    ],
)
def test_going_on_with_another_training_is_refused(make_config, change, words):
    config = make_config()
    train(config)
    data = config.datasets[0].model_dump() | {"rename": {"top": "Nose"}}
    other = make_config(**change, **({"datasets": [data]} if "skeleton" in change else {}))
    with pytest.raises(ConfigError, match=words):
        train(other, resume=True)


def test_a_folder_in_which_something_would_be_overwritten_is_refused(make_config):
    config = make_config()
    config.out.mkdir()
    for name, content in (("best.safetensors", b"mine"), ("last.safetensors", b"mine"), ("config.yaml", b"out: .")):
        (config.out / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}: would be overwritten; choose another folder"):
            train(config)
        assert (config.out / name).read_bytes() == content
        (config.out / name).unlink()


def test_a_training_that_was_killed_before_its_first_checkpoint_begins_again(make_config):
    config = make_config()
    train(config)
    for name in ("state.pt", "last.safetensors", "best.safetensors"):
        (config.out / name).unlink()
    assert train(config).step == config.steps


def test_a_joint_set_goes_on_from_another_place(make_config, kites, tmp_path):
    train(make_config(steps=3))
    moved = tmp_path / "moved.yaml"
    moved.write_text((kites / "kite.yaml").read_text())
    assert train(make_config(skeleton=str(moved)), resume=True).step == 6


def test_the_one_setting_that_differs_is_named(make_config):
    train(make_config(optimiser={"lr": 1e-3}))
    with pytest.raises(ConfigError, match=r"another optimiser\.lr \(0\.001, now 0\.002\)"):
        train(make_config(optimiser={"lr": 2e-3}), resume=True)


def test_a_joint_set_that_changed_under_its_name_is_noticed(make_config, kites, tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text((kites / "kite.yaml").read_text())
    train(make_config(skeleton=str(own)))
    own.write_text((kites / "kite.yaml").read_text() + "redundant: [[Left, Right]]\n")
    with pytest.raises(ConfigError, match="another joints"):
        train(make_config(skeleton=str(own)), resume=True)


def test_a_damaged_state_is_one_line(make_config):
    config = make_config()
    train(config)
    good = (config.out / STATE_FILE).read_bytes()
    middle = len(good) // 2
    for content in (b"", b"nonsense", b"text\n", good[:3000], good[:middle] + b"\x55\xaa" + good[middle + 2 :]):
        (config.out / STATE_FILE).write_bytes(content)
        with pytest.raises(InputError, match=r"state\.pt: damaged") as caught:
            train(config, resume=True)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": "{"}, {"settings": "[1]"}, {"settings": 3}, {"step": "x"}, {"step": -3}, {"best": "x"},
        {"network": 3}, {"optimiser": 3}, {"version": 2},
    ],
    ids=str,
)  # fmt: skip
def test_a_state_that_says_nonsense_is_one_line(make_config, changes):
    config = make_config(steps=1)
    train(config)
    torch.save(torch.load(config.out / STATE_FILE, weights_only=True) | changes, config.out / STATE_FILE)
    with pytest.raises(InputError, match=r"state\.pt: (damaged|does not fit|written as version 2)") as caught:
        train(config, resume=True)
    assert "\n" not in str(caught.value)


def test_a_device_that_cannot_train_is_refused(make_config):
    with pytest.raises(InputError, match="device 'meta' cannot be used here: it is neither cpu nor cuda"):
        train(make_config(device="meta"))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"), torch.OutOfMemoryError("CUDA")]
)
def test_too_little_memory_is_one_line(make_config, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("triskel.detect2d.training.loop._step", fail)
    with pytest.raises(JobError, match="out of memory; lower batch, crop or workers"):
        train(make_config())


def test_a_full_disk_is_one_line_and_the_last_good_state_stays(make_config, monkeypatch):
    train(make_config(steps=3))
    before = (make_config().out / STATE_FILE).read_bytes()

    def full(*_, **__):
        raise RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(JobError, match=r"state\.pt: cannot be written: PytorchStreamWriter"):
        train(make_config(), resume=True)
    assert (make_config().out / STATE_FILE).read_bytes() == before
    assert not list(make_config().out.glob(".*"))


@pytest.mark.slow
def test_a_worker_that_dies_is_one_line(make_config, monkeypatch):
    def killed(self, step):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("triskel.detect2d.training.batches.Batches.__getitem__", killed)
    with pytest.raises(JobError, match="a process that prepares batches has died") as caught:
        train(make_config(workers=1))
    assert "\n" not in str(caught.value)


def test_a_state_that_would_run_code_is_refused(make_config):
    config = make_config()
    train(config)

    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    torch.save(Evil(), config.out / STATE_FILE)
    with pytest.raises(InputError, match=r"state\.pt: damaged"):
        train(config, resume=True)


def test_weights_to_start_from_are_taken_whole_or_as_far_as_they_fit(make_config, tmp_path, kites, caplog):
    first = train(make_config(out=tmp_path / "first"))
    source = str(first.folder / "last.safetensors")
    more = train(make_config(out=tmp_path / "more", start_from=source, optimiser={"lr": 1e-12}, steps=1))
    old, new = weights(first.folder), weights(more.folder)
    name = next(name for name, value in old.items() if value.dim() == 4)
    torch.testing.assert_close(new[name], old[name], rtol=0, atol=1e-9)
    other = make_config(out=tmp_path / "other").model_dump() | {"skeleton": "coco_17", "start_from": source, "steps": 1}
    other["datasets"] = [{"annotations": kites / "keypoints.json", "rename": {"top": "Nose"}}]
    with pytest.raises(ConfigError, match="finds 3 joints and 2 limbs of kite, the training 17 joints"):
        train(type(make_config()).model_validate(other))
    result = train(type(make_config()).model_validate(other | {"start_partially": True}))
    assert result.step == 1


def test_a_missing_image_in_a_worker_is_one_line(make_config, tmp_path):
    from .conftest import write_kites

    write_kites(tmp_path / "data", images=4)
    config = make_config(datasets=[{"annotations": tmp_path / "data/keypoints.json"}], workers=1)
    (tmp_path / "data/images/2.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"2\.png: cannot be read as an image") as caught:
        train(config)
    assert "\n" not in str(caught.value)


def test_learning_rates_follow_their_schedule(make_config):
    step = make_config(optimiser={"lr": 1.0, "warmup": 4, "milestones": [10, 20], "factor": 0.5}).optimiser
    assert [learning_rate(step, s, 100) for s in (0, 1, 3, 9, 10, 20)] == [0.25, 0.5, 1, 1, 0.5, 0.25]
    cosine = make_config(optimiser={"lr": 2.0, "schedule": "cosine"}).optimiser
    np.testing.assert_allclose([learning_rate(cosine, s, 100) for s in (0, 50, 100)], [2, 1, 0], atol=1e-12)


def write_yaml(config, path):
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return path


def command(*arguments):
    return [sys.executable, "-P", "-m", "triskel", "train", *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("send", "how"),
    [
        (os.kill, signal.SIGKILL),
        (os.kill, signal.SIGTERM),
        (os.killpg, signal.SIGINT),  # to the workers as well, as a terminal sends it
        (os.killpg, signal.SIGTERM),
    ],
)
def test_a_killed_process_goes_on_with_the_same_result(make_config, tmp_path, send, how):
    settings = {"steps": 60, "checkpoint_every": 10, "log_every": 5, "workers": 1}
    whole = train(make_config(out=tmp_path / "whole", **settings))
    config = make_config(out=tmp_path / "killed", **settings)
    file = write_yaml(config, tmp_path / "train.yaml")
    process = subprocess.Popen(
        command(file), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    until = time.monotonic() + 120
    while not (config.out / STATE_FILE).exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    send(process.pid, how)
    out, err = process.communicate(timeout=60)
    if how == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 0, err
        assert "stopped, go on with --resume" in out
    assert torch.load(config.out / STATE_FILE, weights_only=True)["step"] < 60
    done = subprocess.run(command(file, "--resume"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_same(weights(config.out), weights(whole.folder))


@pytest.mark.slow
def test_two_processes_under_torchrun_train_what_one_does(make_config, tmp_path):
    """VGG's layers have no BatchNorm, whose statistics are of each process's own images."""
    network = {
        "backbone": "vgg19", "stages": ["paf", "cm"], "repeats": 1, "width": 8, "hidden": 8, "first_repeats": 1,
        "first_width": 8, "first_hidden": 8,
    }  # fmt: skip
    settings = {"network": network, "steps": 3, "checkpoint_every": 3, "optimiser": {"lr": 1e-4}}
    alone = train(make_config(out=tmp_path / "alone", **settings))
    config = make_config(out=tmp_path / "both", **settings)
    file = write_yaml(config, tmp_path / "train.yaml")
    done = subprocess.run(
        [
            sys.executable, "-P", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m",
            "triskel", "train", str(file),
        ],
        capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = weights(alone.folder), weights(config.out)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=2e-4)
    with (config.out / "log.csv").open() as file, (alone.folder / "log.csv").open() as other:
        losses = [[float(row["loss"]) for row in csv.DictReader(log)] for log in (file, other)]
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_a_batch_that_cannot_be_shared_is_refused(make_config, monkeypatch):
    from triskel.detect2d.training.loop import _prepare
    from triskel.detect2d.training.parallel import Team

    with pytest.raises(ConfigError, match="4 images cannot be shared by 3 processes"):
        _prepare(make_config(), Team(0, 3, torch.device("cpu")), resume=False)


def test_an_annotation_file_of_another_format_is_one_line(make_config, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "a.json").write_text(json.dumps({"hello": 1}))
    with pytest.raises(InputError, match="is no COCO file"):
        train(make_config(datasets=[{"annotations": tmp_path / "a.json", "images": tmp_path / "images"}]))
