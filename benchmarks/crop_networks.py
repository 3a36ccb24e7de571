"""How long the networks for one person, hand, face and eye take, on each runtime: ms a piece, the fastest of some runs.

.venv/bin/python -P benchmarks/crop_networks.py [--threads 1,2] [--repeats 5]

PyTorch runs batches of 1, 4 and 8 in float32 and bfloat16, LiteRT one piece after another; the pieces are cut from a
frame of the sample. Each cell is the shortest of the repeats: other work on the machine only ever makes them longer.
"""

import argparse
import time

import numpy as np
import torch

from triskel.capture import read_frames
from triskel.detect2d.crop_networks import OUTPUTS, load_crop_network
from triskel.detect2d.crops import Crops, cut
from triskel.samples import get_sample

BATCHES = (1, 4, 8)


def pieces_of_a_frame(size):
    """Return 8 pieces, RGB, around the man of the sample."""
    frame = next(iter(read_frames(get_sample("single") / "videos" / "cam02.mp4")))
    centre = np.array([560.0, 800.0]) + 20 * np.arange(8)[:, None]
    return cut([frame], Crops.upright(np.zeros(8, np.intp), centre, np.full(8, 900.0)), size)


def shortest_ms(network, pieces, repeats):
    network(pieces)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        network(pieces)
        seconds.append(time.perf_counter() - started)
    return 1000 * min(seconds) / len(pieces)


def measure(name, threads, repeats):
    torch.set_num_threads(threads)
    cells = {}
    litert = load_crop_network(name, runtime="litert", device="cpu", threads=threads)
    pieces = pieces_of_a_frame(litert.size)
    cells["litert"] = shortest_ms(litert, pieces, repeats)
    for precision in ("float32", "bfloat16"):
        network = load_crop_network(name, runtime="torch", device="cpu", precision=precision)
        for batch in BATCHES:
            cells[f"torch {precision} x{batch}"] = shortest_ms(network, pieces[:batch], repeats)
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2", help="numbers of processor threads")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    for threads in map(int, arguments.threads.split(",")):
        rows = {name: measure(name, threads, arguments.repeats) for name in OUTPUTS}
        columns = list(next(iter(rows.values())))
        print(f"\n{threads} thread{'s' if threads > 1 else ''}, ms a piece")
        print(f"{'':<18}" + "".join(f"{column:>19}" for column in columns))
        for name, cells in rows.items():
            print(f"{name:<18}" + "".join(f"{cells[column]:>19.1f}" for column in columns))


if __name__ == "__main__":
    main()
