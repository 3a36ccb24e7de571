"""What every detector of a part is: squares in images to points; and how each is loaded by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.crop_networks import Runtime, load_crop_network
from triskel.detect2d.crops import Crops
from triskel.detect2d.options import Precision
from triskel.errors import InputError
from triskel.skeleton import FACE_70, HAND_21, Skeleton


class PartDetector(Protocol):
    """Finds one hand or face in each square.

    Where the squares come from does not matter: the body's joints, the frame before, or a 3D model seen by the camera.
    Left hands come in mirrored squares.
    """

    @property
    def skeleton(self) -> Skeleton:
        """Return the points it finds: HAND_21 or FACE_70."""
        ...

    def __call__(self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops) -> NDArray[np.float64]:
        """Return the points (B, J, 3), image px and score; NaN, NaN, 0 where missing or rejected.

        Args:
            images_rgb: (H, W, 3) uint8 each.
            crops: where to look.
        """
        ...


def load_hand_detector(
    model: str = "mediapipe_hand",
    *,
    scales: int = 1,
    runtime: Runtime = "auto",
    device: str | None = None,
    precision: Precision = "auto",
    threads: int | None = None,
) -> PartDetector:
    """Load a detector of hands; published weights are fetched on first use.

    Args:
        model: `mediapipe_hand`, `hand` (imported), or a .safetensors file whose points are HAND_21.
        scales: sizes of each box tried by a heat-map network.
        runtime: of `mediapipe_hand`.
        device: where it runs; a GPU where there is one when None.
        precision: of the network's arithmetic.
        threads: of the processor; torch's own number when None.

    Raises:
        InputError: nothing is called that, or it finds something else than hands.
        JobError: the weights cannot be fetched.
    """
    from triskel.detect2d.parts.heatmap_part import load_heatmap_detector
    from triskel.detect2d.parts.mediapipe_hand import HandDetector

    if model == "mediapipe_hand":
        network = load_crop_network(model, runtime=runtime, device=device, precision=precision, threads=threads)
        return HandDetector(network)
    _refuse_another("hand", model)
    return load_heatmap_detector(
        model, HAND_21, scales=scales, devices=(device,) if device else (), precision=precision, threads=threads
    )


def load_face_detector(
    model: str = "mediapipe_face",
    *,
    iris: bool = True,
    runtime: Runtime = "auto",
    device: str | None = None,
    precision: Precision = "auto",
    threads: int | None = None,
) -> PartDetector:
    """Load a detector of faces; published weights are fetched on first use.

    Args:
        model: `mediapipe_face`, `face` (imported), or a .safetensors file whose points are FACE_70.
        iris: let `mediapipe_iris` find the pupils; without it `mediapipe_face` puts them in the middle of the lids.
        runtime: of `mediapipe_face`.
        device: where it runs; a GPU where there is one when None.
        precision: of the network's arithmetic.
        threads: of the processor; torch's own number when None.

    Raises:
        InputError: nothing is called that, or it finds something else than faces.
        JobError: the weights cannot be fetched.
    """
    from triskel.detect2d.parts.heatmap_part import load_heatmap_detector
    from triskel.detect2d.parts.mediapipe_face import FaceDetector

    if model == "mediapipe_face":
        names = (model, "mediapipe_iris") if iris else (model,)
        networks = [
            load_crop_network(name, runtime=runtime, device=device, precision=precision, threads=threads)
            for name in names
        ]
        return FaceDetector(networks[0], networks[1] if iris else None)
    _refuse_another("face", model)
    return load_heatmap_detector(
        model, FACE_70, devices=(device,) if device else (), precision=precision, threads=threads
    )


def _refuse_another(part: str, model: str) -> None:
    """Refuse a name that is neither the part's own nor a file, before any weights are looked for."""
    if model != part and Path(model).suffix != ".safetensors":
        raise InputError(
            f"no {part} detector is called {model!r}; there are mediapipe_{part}, {part}, and .safetensors files"
        )
