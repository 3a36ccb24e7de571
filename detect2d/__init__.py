"""Images to People2D: the PAF network, its weights, and the parse of its maps.

people = load_detector("body")(images)   # list of (H, W, 3) uint8 RGB -> list[People2D]
people[0].keypoints                      # (N, 18, 3) x px, y px, score; NaN, NaN, 0 where missing
"""

from triskel.detect2d.detector import DetectOptions, Detector, load_detector
from triskel.detect2d.layout import LAYOUTS, PafLayout, layout_of
from triskel.detect2d.parsing import ParseOptions, parse
from triskel.detect2d.weights import WEIGHTS, Weights, get_weights
