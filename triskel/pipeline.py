"""The only place where stages are joined."""

from pathlib import Path

from triskel.camera import Rig


def load_rig(path: str | Path) -> Rig:
    """Read a rig: triskel's own YAML, or any format `triskel.calibration.formats` knows, told apart by content."""
    from triskel.calibration.formats import load_rig as load

    return load(path)
