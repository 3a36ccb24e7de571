"""What a calibration leaves on disk: rig or lenses, the boards that were found, the report."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from triskel.calibration.footage import BoardFootage
from triskel.camera import Rig
from triskel.files import atomic_path
from triskel.pipeline.calibrating.boards import BoardCalibration
from triskel.rig_file import save_rig

if TYPE_CHECKING:
    from triskel.calibration.intrinsics import IntrinsicsResult

FOOTAGE_FILE, RIG_FILE, LENSES_FILE = "boards.parquet", "rig.yaml", "intrinsics.yaml"


def write_board_calibration(
    folder: str | Path, calibration: BoardCalibration, *, force: bool = False
) -> tuple[Path, Path | None]:
    """Write a rig and its report into a folder.

    A rig that stood there is kept as `rig_before.yaml`. One that failed a check is not written unless forced.

    Args:
        folder: where to; created when missing.
        calibration: what `rig_from_boards` returned.
        force: write the rig whatever the checks say.

    Returns:
        The report's page, and the rig; None where it was held back.
    """
    from triskel.calibration.report import write_calibration_report

    folder = Path(folder)
    page = write_calibration_report(
        folder,
        intrinsics=calibration.lenses or None,
        calibration=calibration.calibration,
        held_out=calibration.held_out,
        boards=calibration.footage.boards,
        findings=calibration.findings,
        footage=calibration.footage,
        title="Calibration of the rig",
    )
    if not force and any(finding.severity == "error" for finding in calibration.findings):
        return page, None
    keep_before(folder / RIG_FILE)
    save_rig(calibration.rig, folder / RIG_FILE)
    return page, folder / RIG_FILE


def write_lenses(folder: str | Path, footage: BoardFootage, lenses: "dict[str, IntrinsicsResult]") -> tuple[Path, Path]:
    """Write lenses as a rig file in which all cameras stand at the origin, and the report.

    Returns:
        The report's page, and the file of lenses.
    """
    from triskel.calibration.report import write_calibration_report

    folder = Path(folder)
    page = write_calibration_report(
        folder, intrinsics=lenses, boards=footage.boards, footage=footage, title="Calibration of the lenses"
    )
    keep_before(folder / LENSES_FILE)
    save_rig(Rig(tuple(found.camera for found in lenses.values())), folder / LENSES_FILE)
    return page, folder / LENSES_FILE


def keep_footage(folder: str | Path, footage: BoardFootage) -> Path:
    """Write the boards that were found, before anything is made of them: looking for them is what takes long."""
    from triskel.calibration.footage import save_footage

    path = Path(folder) / FOOTAGE_FILE
    save_footage(footage, path)
    return path


def keep_before(path: Path) -> Path | None:
    """Keep the file that stands at a path as `<name>_before`, so that a worse calibration costs nobody a better one.

    Earlier copies stay too: the next is `<name>_before_2`. A file that was kept already is not kept twice.

    Returns:
        The copy; None where nothing stands at the path.
    """
    if not path.is_file():
        return None
    content = path.read_bytes()
    for number in itertools.count(1):
        copy = path.with_name(f"{path.stem}_before{f'_{number}' if number > 1 else ''}{path.suffix}")
        if not copy.exists():
            with atomic_path(copy) as temporary:
                temporary.write_bytes(content)
            return copy
        if copy.is_file() and copy.read_bytes() == content:
            return copy
    raise AssertionError("numbers do not end")
