"""The house keeps its shape: who may import whom, how long a file may be, and what the tree does not name."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("capture", "detect2d", "triangulate", "calibration", "viewer")
ALLOWED = {("calibration", "triangulate")}
MAX_LINES = 450
PACKAGES = {"triskel": ROOT / "triskel"} | {f"triskel.{stage}": ROOT / stage for stage in STAGES}
# Put together here, so that this file does not hold them either.
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("anaconda", "org"))]
HOSTS += [".".join(parts) for parts in (("download", "pytorch", "org"), ("deb", "debian", "org"))]


def modules():
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            yield ".".join((package, *(part for part in parts if part != "__init__"))), path


def imports(name, source, *, is_package):
    """Every module that `source` may load; `from a import b` counts as a.b, which may be a module."""
    parents = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(module):
    """The stage a module belongs to, 'joint' for those that join stages, 'core' for the rest of triskel, else None."""
    first, *rest = module.split(".")
    if first in STAGES:
        return "bare"
    if first != "triskel":
        return None
    if rest and rest[0] in STAGES:
        return rest[0]
    return "joint" if rest and rest[0] in ("pipeline", "cli", "commands", "__main__") else "core"


def forbidden(name, source, *, is_package=False):
    """What a module imports though its room may not."""
    mine = room(name)
    for other in imports(name, source, is_package=is_package):
        theirs = room(other)
        if theirs in (None, "core", mine) or (mine == "joint" and theirs != "bare"):
            continue
        # The front door of the package offers what the pipeline joins; the pipeline loads stages when called.
        if (name, theirs) == ("triskel", "joint") or (mine, theirs) in ALLOWED:
            continue
        yield f"{name} imports {other}"


def test_no_module_imports_what_its_room_may_not():
    wrong = []
    for name, path in modules():
        wrong += forbidden(name, path.read_text(encoding="utf-8"), is_package=path.name == "__init__.py")
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "source", "allowed"),
    [
        ("triskel.camera", "import triskel.viewer", False),
        ("triskel.camera", "from triskel import detect2d", False),
        ("triskel.camera", "def f():\n    from .capture import sync", False),
        ("triskel.camera", "from triskel.pipeline import load_rig", False),
        ("triskel.pipeline", "from triskel.viewer import show", True),
        ("triskel.commands.view", "from triskel.viewer import show", True),
        ("triskel.commands.view", "import viewer", False),
        ("triskel.capture.files", "from triskel.detect2d import load_detector", False),
        ("triskel.capture.files", "from ..viewer import show", False),
        ("triskel.capture.files", "from . import sync", True),
        ("triskel.capture.files", "from triskel import pipeline", False),
        ("triskel.calibration.people", "from triskel.triangulate import triangulate_points", True),
        ("triskel.triangulate.dlt", "from triskel.calibration import refine", False),
        ("triskel.viewer.window", "from triskel.session import Session\nimport numpy", True),
    ],
)
def test_the_walk_sees_each_kind_of_import(name, source, allowed):
    assert (list(forbidden(name, source)) == []) == allowed


def test_no_file_is_longer_than_can_be_kept_in_mind():
    long = {}
    for folder in ("triskel", *STAGES, "tests", "benchmarks", "examples"):
        for path in (ROOT / folder).rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > MAX_LINES:
                long[str(path.relative_to(ROOT))] = lines
    assert long == {}


def tracked_files():
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout: which files belong to the tree is unknown")
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name]


def test_the_tree_names_no_package_registry():
    """Whoever installs has an index of their own choice; a host in the tree would override it or mislead."""
    named = []
    for path in tracked_files():
        if path.is_file():
            content = path.read_bytes().lower()
            named += [f"{path.relative_to(ROOT)}: {host}" for host in HOSTS if host.encode() in content]
    assert named == []
