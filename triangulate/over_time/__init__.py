"""Motion3D over time: swaps of left and right, outliers, gaps, filters, limb lengths."""

from triskel.triangulate.over_time.bones import LimbLengths, hold_lengths, limb_lengths
from triskel.triangulate.over_time.filters import FILTERS, Filter, Filtered, KalmanFilter, OneEuro
from triskel.triangulate.over_time.gaps import fill_gaps
from triskel.triangulate.over_time.options import OverTimeOptions
from triskel.triangulate.over_time.refine import refine_over_time
from triskel.triangulate.over_time.swaps import repair_motion, repair_views
