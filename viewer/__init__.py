"""Sessions and results to pictures, videos, a window and a report; reads only."""

from triskel.viewer.overlay import draw_people, overlay_image, overlay_video
from triskel.viewer.quality import Quality, measure_quality
from triskel.viewer.quality_plots import Plot, write_quality_plots
from triskel.viewer.quality_text import quality_json
from triskel.viewer.render import render_image, render_video
from triskel.viewer.report import write_report
from triskel.viewer.summary import Summary, summarise
from triskel.viewer.verdict import camera_doubts
from triskel.viewer.video import write_video
from triskel.viewer.window import show
