"""Labelled images: COCO-format keypoint files, for training and for evaluation."""

from triskel.detect2d.datasets.coco_json import (
    OUTSIDE_PX,
    KeypointDataset,
    LabelledImage,
    read_dataset,
    read_labelled_image,
)
from triskel.detect2d.datasets.joint_names import match_joints
from triskel.detect2d.datasets.part_labels import HAND_WRISTS, PartField
