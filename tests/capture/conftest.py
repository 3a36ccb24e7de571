from fractions import Fraction

import av
import numpy as np
import pytest

CELLS = 6


def picture(number):
    """Return a 96 x 64 image that shows `number` in black and white bars, least significant on the left."""
    image = np.full((64, 96, 3), 128, np.uint8)
    for bit in range(CELLS):
        image[:, 16 * bit : 16 * bit + 16] = 255 * (number >> bit & 1)
    image[48:, :, 1:] //= 2  # reddish at the bottom, so that swapped channels or rows are noticed
    return image


@pytest.fixture
def number_in():
    """Return the function that reads the number of a picture."""

    def read(image):
        bars = image[8:40].reshape(32, CELLS, 16, 3).mean(axis=(0, 2, 3)) > 128
        return int((bars << np.arange(CELLS)).sum())

    return read


@pytest.fixture
def make_video(tmp_path):
    """Return the function that records `count` numbered pictures."""

    def make(name, count, *, fps=25, codec="libx264"):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            stream.options = {"crf": "5", "g": "10"} if codec == "libx264" else {}
            for number in range(count):
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        return path

    return make
