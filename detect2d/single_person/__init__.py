"""A second look at every person: a network for one person in a square, reconciled with the body network's opinion."""

from triskel.detect2d.single_person.blazepose import BlazePose, SinglePoses
from triskel.detect2d.single_person.duplicates import unlike
from triskel.detect2d.single_person.person_crop import person_crops
from triskel.detect2d.single_person.reconcile import ReconcileOptions, can_be_reconciled, reconcile, to_body_25
