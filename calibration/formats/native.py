"""Triskel's own `rig.yaml`, seen as one format among others."""

from pathlib import Path

import yaml

from triskel.calibration.formats.base import peek_text
from triskel.camera import Rig
from triskel.rig_file import is_native_rig, load_native_rig, save_rig


class Native:
    """The native YAML file; everything a rig holds survives in it exactly."""

    name = "native"
    title = "triskel rig.yaml"

    def can_read(self, path: Path) -> bool:
        """Say whether the file is YAML that claims the native format."""
        text = peek_text(path)
        if "triskel-rig" not in text:
            return False
        try:
            return is_native_rig(yaml.safe_load(text))
        except (yaml.YAMLError, ValueError, RecursionError):
            return text.lstrip().startswith("format:")  # it claims to be one: let `read` say what is broken

    def read(self, path: Path) -> Rig:
        """Read the rig."""
        return load_native_rig(path)

    def write(self, rig: Rig, path: Path) -> None:
        """Write the rig."""
        save_rig(rig, path)
