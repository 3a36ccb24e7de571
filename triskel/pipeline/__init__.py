"""The only place where stages are joined, through a session on disk.

session = new_session("out", "videos", rig=load_rig("Calib.qca.txt"))
session, people = process(session)
"""

from triskel.pipeline.imported import import_detections
from triskel.pipeline.report import write_triangulation_report
from triskel.pipeline.stages import (
    detect,
    fit_rig,
    load_rig,
    look_again,
    new_session,
    open_or_adopt,
    process,
    triangulate,
    use_rig,
)
