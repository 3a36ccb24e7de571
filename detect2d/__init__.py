"""Images to People2D: the PAF network, its weights, and the parse of its maps.

detector = load_detector("body")
people = detector(images)                # list of (H, W, 3) uint8 RGB -> list[People2D]
people[0].keypoints                      # (N, 18, 3) x px, y px, score; NaN, NaN, 0 where missing
maps = detector.maps(images)             # list[HeatMaps]: confidence (19, h, w), affinity (38, h, w)
"""

from triskel.detect2d.detector import Detector, load_detector
from triskel.detect2d.heatmaps import HeatMaps
from triskel.detect2d.layout import LAYOUTS, PafLayout, layout_of
from triskel.detect2d.options import DetectOptions, suited_parse
from triskel.detect2d.parsing import ParseOptions, parse
from triskel.detect2d.weights import WEIGHTS, Weights, get_weights
