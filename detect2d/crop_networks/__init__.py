"""Networks that look at one person, hand or face: .tflite files read as data, run by LiteRT or as PyTorch modules.

network = load_crop_network("mediapipe_hand")
answers = network(pieces)                # (B, 224, 224, 3) uint8 RGB -> dict of (B, ...) float32
answers["landmarks"]                     # (B, 63) x, y, z in px of the piece
"""

from triskel.detect2d.crop_networks.network import OUTPUTS, CropNetwork, Runtime, load_crop_network
