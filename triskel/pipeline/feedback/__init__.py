"""A second detection where the people in 3D say that the first one missed something."""

from triskel.pipeline.feedback.improve import FeedbackCounts, FeedbackOptions, improve_detections
