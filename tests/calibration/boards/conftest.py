import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pictures():
    """Return the module `pictures.py` beside this file (tests are not a package)."""
    spec = importlib.util.spec_from_file_location("board_pictures", Path(__file__).with_name("pictures.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
