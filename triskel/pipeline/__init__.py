"""The only place where stages are joined, through a session on disk.

session = new_session("out", "videos", rig=load_rig("Calib.qca.txt"))
session, people = process(session)
"""

from triskel.pipeline.stages import (
    detect,
    fit_rig,
    import_detections,
    load_rig,
    new_session,
    open_or_adopt,
    process,
    triangulate,
    use_rig,
)
