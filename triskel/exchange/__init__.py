"""Exchange of keypoints with other software: exporters by name, and the importer of OpenPose's JSON."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from triskel.camera import Rig
from triskel.errors import InputError
from triskel.exchange.bvh import write_bvh
from triskel.exchange.c3d import write_c3d
from triskel.exchange.coco_wholebody import write_coco_wholebody
from triskel.exchange.csv_table import write_csv_tidy, write_csv_wide
from triskel.exchange.npz import write_npz
from triskel.exchange.openpose_json import write_openpose_json
from triskel.exchange.openpose_read import openpose_frames, read_openpose_json
from triskel.exchange.options import ExportOptions, left_out
from triskel.exchange.tidy import write_parquet
from triskel.exchange.trc import write_trc
from triskel.motion import Detections2D, Motion3D


class Content(NamedTuple):
    """What a session has to export: `motion` always, the rest where there is some."""

    motion: Motion3D
    detections: Detections2D | None
    rig: Rig | None


class Exporter(NamedTuple):
    """A format: its writer, whether it writes a folder, and whether it leaves out parts that were never found."""

    write: Callable[[Content, Path, ExportOptions], object]
    folder: bool = False
    drops_empty: bool = True


def _openpose(content: Content, out: Path, options: ExportOptions) -> None:
    motion, detections, rig = content
    # Detections without a rig cannot be told whose they are: they go out alone.
    known = motion if rig is not None or detections is None else None
    write_openpose_json(out, detections, motion=known, rig=rig, options=options)


def _somebody(content: Content, format_: str) -> Motion3D:
    """Return the motion, in which there is somebody: formats of one file a person have none to write otherwise."""
    if not len(content.motion.ids):
        raise InputError(f"{format_} export: nobody was found in 3D, so there is no file to write")
    return content.motion


EXPORTERS: dict[str, Exporter] = {
    "openpose": Exporter(_openpose, folder=True, drops_empty=False),
    "csv": Exporter(lambda content, out, options: write_csv_wide(out, content.motion, options=options)),
    "csv-tidy": Exporter(lambda content, out, options: write_csv_tidy(out, content.motion, options=options)),
    "parquet": Exporter(lambda content, out, options: write_parquet(out, content.motion, options=options)),
    "trc": Exporter(lambda content, out, options: write_trc(out, _somebody(content, "trc"), options=options), True),
    "c3d": Exporter(lambda content, out, options: write_c3d(out, content.motion, options=options)),
    "bvh": Exporter(lambda content, out, options: write_bvh(out, _somebody(content, "bvh"), options=options), True),
    "npz": Exporter(
        lambda content, out, options: write_npz(out, content.motion, detections=content.detections, options=options),
        drops_empty=False,
    ),
}
"""Format name -> exporter. `openpose`, `trc` and `bvh` write a folder, the others one file."""


def export(
    motion: Motion3D,
    detections: Detections2D | None,
    *,
    format: str,  # noqa: A002 - the name of the command line's option
    out: str | Path,
    rig: Rig | None = None,
    options: ExportOptions | None = None,
) -> None:
    """Write a session's results for other software.

    Args:
        motion: people in 3D.
        detections: what the cameras saw; `openpose` and `npz` add it.
        format: a key of `EXPORTERS`.
        out: the file, or for `openpose`, `trc` and `bvh` the folder, to write.
        rig: the cameras; with them `openpose` joins 2D and 3D.
        options: whom and what of them, in which unit and axes; the format's own choice by default.

    Raises:
        InputError: the format is unknown, lacks what it needs, or somebody or something asked for is not there.
    """
    if format not in EXPORTERS:
        raise InputError(f"no export format is called {format!r}; there are {', '.join(EXPORTERS)}")
    EXPORTERS[format].write(Content(motion, detections, rig), Path(out), options or ExportOptions())
