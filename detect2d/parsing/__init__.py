"""Network maps in, people out: peaks, limbs, and their assembly (sections 3.3 to 3.5 of the paper).

people = parse(confidence, affinity, layout, ParseOptions())   # (J + 1, h, w), (2 L, h, w) -> People2D
"""

from triskel.detect2d.parsing.options import MAXIMISE_POSITIVES, METHODS, Method, ParseOptions
from triskel.detect2d.parsing.parse import Candidates, find_candidates, parse
