"""Cameras and files to synchronized frame sets.

videos = find_videos(Path("session/videos"))           # camera -> file
fps, time_s, index, warnings = pair_by_index(probe_videos(videos))
for images in read_sets(videos, index): ...            # camera -> (H, W, 3) uint8 RGB
for number, image in read_frames_at(video, [9000]): ... # single frames out of a long video
"""

from triskel.capture.framesets import find_videos, pair_by_index, probe_videos, read_sets
from triskel.capture.seeking import VideoIndex, index_video, read_frames_at
from triskel.capture.video import VideoInfo, probe_video, read_frames
