"""A .tflite file on LiteRT, the runtime it was made for: the processor only, one piece at a time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.crop_networks.network import Answers, Source


class LitertNetwork:
    """The `CropNetwork` on LiteRT; see there for what it takes and returns."""

    def __init__(self, source: Source, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.name, self.size, self.outputs = source.name, source.size, source.outputs
        self._source = source
        with _quiet():
            self._interpreter = Interpreter(source.path, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        places = {one["name"]: one for one in self._interpreter.get_output_details()}
        self._places = [places[name]["index"] for name in source.in_file]
        self._shapes = [tuple(int(side) for side in places[name]["shape"][1:]) for name in source.in_file]

    def __call__(self, pieces: NDArray[np.uint8]) -> Answers:
        """Look at (B, size, size, 3) RGB."""
        values = [np.zeros((len(pieces), *shape), np.float32) for shape in self._shapes]
        for b, piece in enumerate(pieces):
            self._interpreter.set_tensor(self._input, piece[None].astype(np.float32) / 255)
            self._interpreter.invoke()
            for value, place in zip(values, self._places, strict=True):
                value[b] = self._interpreter.get_tensor(place)[0]
        return self._source.answers(values)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the runtime's compiled part tells of itself off standard error while it is made."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error to keep clean
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
