"""Hands and faces: boxes out of the body's joints, and the networks that look into them.

left = hand_boxes(keypoints, BODY_25)["left_hand"]        # PartBoxes: centre (N, 2), side (N,), angle_rad (N,)
crops, whose = left.crops(image, mirrored=True)           # Crops of those that have a box, and their rows
hands = load_hand_detector()(images_rgb, crops)           # (B, 21, 3) px and score; NaN, NaN, 0 where missing
"""

from triskel.detect2d.parts.boxes import PartBoxes, face_angle, face_boxes, forearm_angle, hand_boxes
from triskel.detect2d.parts.detector import PartDetector, load_face_detector, load_hand_detector
from triskel.detect2d.parts.heatmap_part import HeatmapPartDetector
from triskel.detect2d.parts.mediapipe_face import FaceDetector, FaceOptions
from triskel.detect2d.parts.mediapipe_hand import HandDetector, HandOptions
from triskel.detect2d.parts.plausible import (
    HandLimits,
    reject_implausible_faces,
    reject_implausible_hands,
    reject_overlapping_hands,
)
from triskel.detect2d.parts.tracking import HandTracker
