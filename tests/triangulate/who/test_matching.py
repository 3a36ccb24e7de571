import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from triskel.triangulate.who.matching import assign


def test_the_total_gain_is_what_scipy_finds():
    rng = np.random.default_rng(0)
    for _ in range(300):
        gain = rng.uniform(-1, 1, rng.integers(0, 8, 2))
        chosen = assign(gain)
        total = sum(gain[i, k] for i, k in enumerate(chosen) if k >= 0)
        positive = np.maximum(gain, 0)
        assert total == pytest.approx(positive[linear_sum_assignment(-positive)].sum(), abs=1e-9)
        used = chosen[chosen >= 0]
        assert len(used) == len(set(used))


def test_the_best_pair_gives_way_where_the_total_is_greater():
    assert assign(np.array([[0.9, 0.8], [0.85, 0.1]])).tolist() == [1, 0]


def test_nobody_gets_what_gains_nothing():
    assert assign(np.array([[0.0, -1.0], [0.5, 0.0]])).tolist() == [-1, 0]
    assert assign(np.zeros((2, 0))).tolist() == [-1, -1]
