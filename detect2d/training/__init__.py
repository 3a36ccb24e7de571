"""Training of PAF networks on any joint set: ground truth, loss, augmentation, loop (sections 3 and 5 of the paper)."""

from triskel.detect2d.training.config import TrainConfig, load_config
from triskel.detect2d.training.loop import TrainResult, train
