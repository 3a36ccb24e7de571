"""PAF networks: images to confidence maps and part affinity fields (section 3.1 of the paper)."""

from triskel.detect2d.networks.mobilenet_thin import MobilenetThin
