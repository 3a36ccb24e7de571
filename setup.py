"""Map the folders at the root of the repository into one package, `triskel`."""

from setuptools import find_packages, setup

ROOTS = ["capture", "detect2d", "triangulate", "calibration", "viewer"]

stages = find_packages(include=[pattern for root in ROOTS for pattern in (root, f"{root}.*")])
core = find_packages(include=["triskel", "triskel.*"])

setup(
    packages=core + [f"triskel.{stage}" for stage in stages],
    package_dir={"triskel": "triskel"} | {f"triskel.{root}": root for root in ROOTS},
)
