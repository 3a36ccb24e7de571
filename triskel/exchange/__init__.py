"""Exchange of keypoints with other software: exporters by name, and the importer of OpenPose's JSON."""

from collections.abc import Callable
from pathlib import Path

from triskel.camera import Rig
from triskel.errors import InputError
from triskel.exchange.c3d import write_c3d
from triskel.exchange.coco_wholebody import write_coco_wholebody
from triskel.exchange.csv_table import write_csv_tidy, write_csv_wide
from triskel.exchange.npz import write_npz
from triskel.exchange.openpose_json import write_openpose_json
from triskel.exchange.openpose_read import openpose_frames, read_openpose_json
from triskel.exchange.trc import write_trc
from triskel.motion import Detections2D, Motion3D

Exporter = Callable[[Motion3D, Detections2D | None, Rig | None, Path], None]


def _openpose(motion: Motion3D, detections: Detections2D | None, rig: Rig | None, out: Path) -> None:
    if detections is None:
        raise InputError("openpose export: the format holds 2D keypoints, and there are none; run 'triskel detect'")
    write_openpose_json(out, detections, motion=motion if rig is not None else None, rig=rig)


def _csv(motion: Motion3D, _detections: Detections2D | None, _rig: Rig | None, out: Path) -> None:
    write_csv_wide(out, motion)


def _csv_tidy(motion: Motion3D, _detections: Detections2D | None, _rig: Rig | None, out: Path) -> None:
    write_csv_tidy(out, motion)


def _trc(motion: Motion3D, _detections: Detections2D | None, _rig: Rig | None, out: Path) -> None:
    if not len(motion.ids):
        raise InputError("trc export: nobody was found in 3D, so there is no file to write")
    write_trc(out, motion)


def _c3d(motion: Motion3D, _detections: Detections2D | None, _rig: Rig | None, out: Path) -> None:
    write_c3d(out, motion)


def _npz(motion: Motion3D, detections: Detections2D | None, _rig: Rig | None, out: Path) -> None:
    write_npz(out, motion, detections=detections)


EXPORTERS: dict[str, Exporter] = {
    "openpose": _openpose,
    "csv": _csv,
    "csv-tidy": _csv_tidy,
    "trc": _trc,
    "c3d": _c3d,
    "npz": _npz,
}
"""Format name -> exporter. `openpose` and `trc` write a folder, the others one file."""


def export(
    motion: Motion3D,
    detections: Detections2D | None,
    *,
    format: str,  # noqa: A002 - the name of the command line's option
    out: str | Path,
    rig: Rig | None = None,
) -> None:
    """Write a session's results for other software.

    Args:
        motion: people in 3D.
        detections: what the cameras saw; `openpose` needs it, `npz` adds it.
        format: a key of `EXPORTERS`.
        out: the file, or for `openpose` and `trc` the folder, to write.
        rig: the cameras; with them `openpose` also gets the 3D joints.

    Raises:
        InputError: the format is unknown, or lacks what it needs.
    """
    if format not in EXPORTERS:
        raise InputError(f"no export format is called {format!r}; there are {', '.join(EXPORTERS)}")
    EXPORTERS[format](motion, detections, rig, Path(out))
