#!/bin/sh
# Build a wheel, install it into a clean virtual environment, import every module from a folder outside the repository.
# usage: scripts/check_wheel.sh        (after `make setup`)
set -eu
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export PIP_DISABLE_PIP_VERSION_CHECK=1

rm -rf build # setuptools would pack modules that are gone from the tree but not from build/lib
.venv/bin/python -m pip wheel -qq --no-deps --no-build-isolation -w "$work/dist" .
rm -rf build dist
mkdir dist
cp "$work"/dist/triskel-*.whl dist/
.venv/bin/python -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq -c constraints.txt pip
"$work/venv/bin/python" -m pip install -qq -c constraints.txt dist/triskel-*.whl

cd "$work"
"$work/venv/bin/python" -P - "$root" <<'PYTHON'
import importlib
import pkgutil
import sys
from pathlib import Path

import triskel

root = Path(sys.argv[1])
assert root not in Path(triskel.__file__).resolve().parents, f"imported from the repository: {triskel.__file__}"


def stop(name: str) -> None:
    raise ImportError(f"cannot import the package {name}")


names = [module.name for module in pkgutil.walk_packages(triskel.__path__, "triskel.", onerror=stop)]
for name in names:
    if not name.endswith(".__main__"):
        importlib.import_module(name)

folders = {"triskel": "triskel"} | {f"triskel.{one}": one for one in "capture detect2d triangulate calibration viewer".split()}
sources = set()
for package, folder in folders.items():
    for file in (root / folder).rglob("*.py"):
        parts = file.relative_to(root / folder).with_suffix("").parts
        sources.add(".".join((package, *(part for part in parts if part != "__init__"))))
missing = sorted(sources - set(names) - {"triskel"})
assert not missing, f"the wheel lacks {missing}"
print(f"wheel: {len(names)} modules imported")
PYTHON
"$work/venv/bin/triskel" --help >/dev/null
echo "wheel: triskel --help works"
