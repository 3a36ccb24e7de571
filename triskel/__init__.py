"""Multi-view 3D human reconstruction: synchronized cameras in, 3D skeletons out.

The names below are what scripts build on; each stage has its own front door: `triskel.capture`, `triskel.detect2d`,
`triskel.triangulate`, `triskel.calibration`, `triskel.viewer`.
"""

from triskel.camera import Camera, Rig
from triskel.errors import ConfigError, InputError, JobError, SessionError, TriskelError
from triskel.keypoints import People2D, Points3D
from triskel.motion import Detections2D, Motion3D
from triskel.pipeline import load_rig
from triskel.projection import pixel_rays, project, reprojection_error, undistort
from triskel.rig_file import save_rig
from triskel.rigid import Rigid
from triskel.session import Session
from triskel.skeleton import Skeleton, get_skeleton, load_skeleton
