"""Images to People2D: the PAF network and the parse of its maps; a second look at each person, hand and face.

detector = load_whole_body("body")
people = detector(images)                # list of (H, W, 3) uint8 RGB -> list[People2D]
people[0].keypoints                      # (N, 135, 3) x px, y px, score; NaN, NaN, 0 where missing
detector = load_detector("body")         # the PAF network alone: (N, 18, 3)
maps = detector.maps(images)             # list[HeatMaps]: confidence (19, h, w), affinity (38, h, w)
"""

from triskel.detect2d.detector import Detector, load_detector
from triskel.detect2d.heatmaps import HeatMaps
from triskel.detect2d.layout import LAYOUTS, PafLayout, layout_of
from triskel.detect2d.options import DetectOptions, suited_parse
from triskel.detect2d.parsing import ParseOptions, parse
from triskel.detect2d.quality import QUALITIES, QUALITY_NAMES, Quality, suited_whole_body
from triskel.detect2d.weights import WEIGHTS, Weights, get_weights
from triskel.detect2d.whole_body import WholeBodyDetector, load_whole_body, weights_needed
from triskel.detect2d.whole_body_options import PAF_ALONE, WholeBodyOptions
