import sys

import pytest

from triskel.calibration import BoardView, calibrate_intrinsics


class _Board:
    """The scene's board; it is never detected in an image."""

    name = "bench"


@pytest.fixture
def benchmark_scene(shared, monkeypatch):
    """Return the module `board_scene` of the shared benchmarks, with its `Board`."""
    bench = shared / "bench"
    if not (bench / "board_scene.py").exists():
        pytest.skip(f"needs {bench / 'board_scene.py'}")
    monkeypatch.setattr(sys, "path", [*sys.path, str(bench)])
    import board_scene

    _Board.corners = board_scene.board_points()
    monkeypatch.setattr(board_scene, "Board", _Board, raising=False)
    return board_scene


@pytest.fixture
def bench_shots(benchmark_scene):
    """Return the function that makes a scene: the true cameras, the shots, and cameras with calibrated intrinsics."""

    def make(seed, *, outlier):
        truth, _, rows = benchmark_scene.make_detections(outlier=outlier, seed=seed)
        shots = [{c["name"]: BoardView(*d) for c, d in zip(truth, row, strict=True) if d} for row in rows]
        cameras = []
        for c in truth:
            views = [shot[c["name"]] for shot in shots if c["name"] in shot]
            found = calibrate_intrinsics(views, _Board(), size_wh=c["size"], name=c["name"])
            cameras.append(found.camera)
        return truth, shots, cameras

    return make
