"""Who is who: one person's detections in all views, and the same person over time."""

from triskel.triangulate.who.find_people import find_people
from triskel.triangulate.who.tracking import Followed, PeopleTracker, Sighting, Track
