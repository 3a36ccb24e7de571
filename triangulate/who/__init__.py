"""Who is who: one person's detections in all views, and the same person over time."""

from triskel.triangulate.who.tracking import Followed, PeopleTracker, Sighting, Track
from triskel.triangulate.who.whole_session import find_people
