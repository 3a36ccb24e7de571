"""Triskel's own `rig.yaml`, seen as one format among others."""

from pathlib import Path

import numpy as np
import yaml

from triskel.calibration.formats.base import one_line, peek_text
from triskel.camera import Rig
from triskel.errors import ConfigError
from triskel.rig_file import is_native_rig, load_native_rig, save_rig


class Native:
    """The native YAML file; everything a rig holds survives in it exactly."""

    name = "native"
    title = "triskel rig.yaml"
    suffixes: tuple[str, ...] = (".yaml", ".yml")

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
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # numbers too large to square are refused by name
                return load_native_rig(path)
        except ConfigError:
            raise
        except ValueError as error:  # a pose that is not finite
            raise ConfigError(f"{path}: {one_line(error)}") from error

    def write(self, rig: Rig, path: Path) -> None:
        """Write the rig."""
        save_rig(rig, path)
