"""People2D + Rig to people in 3D: association, consensus, linear start, Levenberg-Marquardt."""

from triskel.triangulate.dlt import triangulate_dlt
from triskel.triangulate.over_time import OverTimeOptions, refine_over_time
from triskel.triangulate.people import People3D, PeopleOptions, triangulate_people
from triskel.triangulate.points import TriangulateOptions, triangulate_points
from triskel.triangulate.who import PeopleTracker
