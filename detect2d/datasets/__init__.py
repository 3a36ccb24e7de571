"""Labelled images: COCO-format keypoint files, for training and for evaluation."""

from triskel.detect2d.datasets.coco_json import KeypointDataset, LabelledImage, read_dataset
from triskel.detect2d.datasets.joint_names import match_joints
