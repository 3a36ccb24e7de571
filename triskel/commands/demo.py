"""`triskel demo`: real people from four real cameras, end to end."""

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from triskel.commands.data import fetch_weights, sample_home
from triskel.commands.show import collected_warnings, progress_bars, say
from triskel.commands.triangulation_options import triangulation
from triskel.errors import InputError
from triskel.files import atomic_path
from triskel.session import SESSION_FILE, Session

SAMPLES = ("single", "multi")
"""Samples the demo knows."""


def demo(
    sample: Annotated[str, typer.Option(help="single: one person; multi: two.")] = "single",
    out: Annotated[Path | None, typer.Option(help="Folder for the results; demo-output/<sample> by default.")] = None,
) -> None:
    """Reconstruct a recorded sample in 3D: fetches it and the network on first use, then works offline."""
    from triskel import pipeline
    from triskel.detect2d import suited_whole_body
    from triskel.detect2d.quality import RECORDING

    if sample not in SAMPLES:
        raise InputError(f"no demo for sample {sample!r}; there are {', '.join(SAMPLES)}")
    out = out or Path("demo-output") / sample
    source = sample_home(sample)
    parts = fetch_weights("body", suited_whole_body("body", quality=RECORDING))
    started = time.perf_counter()
    with collected_warnings() as warnings:
        session = _session(out, source, sample)
        with progress_bars() as progress:
            session, _ = pipeline.process(
                session,
                parts=parts,
                people_options=triangulation(),
                warnings=warnings,
                progress=progress,
            )
    say((out / "summary.txt").read_text(encoding="utf-8"))
    say(f"{time.perf_counter() - started:.0f} s. Look at {out / 'report.html'}, or run: triskel view {out}")


def _session(out: Path, source: Path, sample: str) -> Session:
    """Return the demo's session; an earlier run of the same sample is used again, anything else is left alone."""
    from triskel import pipeline

    rig = pipeline.load_rig(source / "Calib.qca.txt")
    if not (out / SESSION_FILE).exists():
        return pipeline.new_session(out, source / "videos", rig=rig)
    session = Session.open(out)
    for name, video in session.video_paths().items():
        original = source / "videos" / video.name
        if not original.is_file() or original.stat().st_size != video.stat().st_size:
            raise InputError(f"{out}: holds another session (video of {name} differs from sample {sample}); use --out")
        with atomic_path(video) as temporary:
            shutil.copyfile(original, temporary)
    pipeline.use_rig(session, rig)
    return session
