import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def walker():
    """Return the module `walker.py` of the world's tests (tests are not a package)."""
    path = Path(__file__).parents[1] / "world" / "walker.py"
    spec = importlib.util.spec_from_file_location("calibration_walker", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
