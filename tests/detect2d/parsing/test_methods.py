"""The structures of the paper's Fig. 6: each finds the optimum of what it sets out to maximise."""

import logging
import runpy
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from triskel.detect2d.layout import LAYOUTS, complete_layout
from triskel.detect2d.parsing import METHODS, ParseOptions, parse
from triskel.detect2d.parsing.bipartite import match_tree
from triskel.detect2d.parsing.integer import match_graph
from triskel.detect2d.parsing.integer_tree import match_tree_at_once
from triskel.skeleton import COCO_18

CROWD = runpy.run_path(str(Path(__file__).with_name("crowd.py")))  # tests are not a package
LAYOUT = LAYOUTS["body_25"]


def random_pairs(rng, limbs, part_of, keep=0.6):
    """Random limb candidates between random parts, and their affinities."""
    pairs = [
        (k, a, b)
        for k, (left, right) in enumerate(limbs)
        for a, b in product(np.flatnonzero(part_of == left), np.flatnonzero(part_of == right))
        if rng.random() < keep
    ]
    return np.array(pairs, np.int64).reshape(-1, 3), rng.uniform(0.05, 1, len(pairs))


def best_matching(weights):
    """The greatest weight of a matching, by trying everything; `weights` has NaN where there is no pair."""
    if not len(weights):
        return 0.0
    rest = best_matching(weights[1:])
    for j in np.flatnonzero(np.isfinite(weights[0])):
        rest = max(rest, weights[0, j] + best_matching(np.delete(weights[1:], j, axis=1)))
    return rest


@pytest.mark.parametrize("seed", range(5))
def test_on_a_tree_both_methods_find_the_best_matching_of_each_limb(seed):
    rng = np.random.default_rng(seed)
    limbs, part_of = ((0, 1), (1, 2), (1, 3), (0, 2)), np.repeat(np.arange(4), [3, 4, 2, 4])
    pairs, affinity = random_pairs(rng, limbs, part_of)
    best = 0.0
    for k in range(3):
        weights = np.full((13, 13), np.nan)
        of_limb = pairs[:, 0] == k
        weights[pairs[of_limb, 1], pairs[of_limb, 2]] = affinity[of_limb]
        best += best_matching(weights[np.isfinite(weights).any(axis=1)])
    for chosen in (
        match_tree(pairs, affinity, (0, 1, 2)),
        match_tree_at_once(pairs, affinity, part_of, (0, 1, 2), time_limit_s=20),
    ):
        assert affinity[chosen].sum() == pytest.approx(best, abs=1e-9)
        assert set(pairs[chosen, 0]) <= {0, 1, 2}
        for k, column in product(range(3), (1, 2)):
            ends = pairs[chosen][pairs[chosen, 0] == k, column]
            assert len(set(ends)) == len(ends)


def partitions(part_of):
    """Every division of the candidates into people without two of a part, as the person of each candidate."""

    def grow(chosen):
        m = len(chosen)
        if m == len(part_of):
            yield chosen
            return
        for person in range(max(chosen, default=-1) + 1 + 1):
            if all(part_of[i] != part_of[m] for i in range(m) if chosen[i] == person):
                yield from grow([*chosen, person])

    yield from grow([])


def worth(person_of, pairs, affinity, part_of, limbs, share):
    """What the integer programme maximises, for one division into people."""
    total, passed = 0.0, {}
    for (k, a, b), value in zip(pairs.tolist(), affinity, strict=True):
        passed[k, a, b] = value
    for k, (left, right) in enumerate(limbs):
        for a, b in product(np.flatnonzero(part_of == left).tolist(), np.flatnonzero(part_of == right).tolist()):
            if person_of[a] == person_of[b]:
                total += passed.get((k, a, b), share[k, a, b] - 1.0)
    return total


@pytest.mark.parametrize("seed", range(12))
def test_the_integer_programme_finds_the_best_of_all_divisions_into_people(seed):
    """Complete graph on four parts, two candidates each: few divisions, yet with every kind of contradiction."""
    rng = np.random.default_rng(seed)
    limbs = np.array([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
    part_of = np.repeat(np.arange(4), [2, 2, 2, 2] if seed % 2 else [3, 2, 1, 2])
    pairs, affinity = random_pairs(rng, limbs.tolist(), part_of, keep=0.5)
    share = rng.uniform(0, 0.9, (6, 8, 8))
    chosen = match_graph(pairs, affinity, part_of, limbs, lambda asked: share[tuple(asked.T)], time_limit_s=30)
    person_of = np.arange(8)
    for _, a, b in pairs[chosen]:
        person_of[person_of == person_of[b]] = person_of[a]
    for person in set(person_of):
        parts = part_of[person_of == person]
        assert len(set(parts)) == len(parts)
    arguments = pairs, affinity, part_of, limbs.tolist(), share
    best = max(worth(one, *arguments) for one in partitions(part_of.tolist()))
    assert worth(person_of, *arguments) == pytest.approx(best, abs=1e-6)


def test_the_integer_programme_leaves_apart_what_the_fields_speak_against():
    """A chain a-b-c of good limbs; whether a and c may be one person is up to the field between them."""
    limbs, part_of = np.array([(0, 1), (1, 2), (0, 2)]), np.arange(3)
    pairs, affinity = np.array([(0, 0, 1), (1, 1, 2)]), np.array([0.9, 0.3])
    for bad_share, expected in ((0.2, [0, 1]), (0.4, [0])):
        chosen = match_graph(
            pairs, affinity, part_of, limbs, lambda asked, bad=bad_share: np.full(len(asked), 1 - bad), time_limit_s=20
        )
        assert chosen.tolist() == expected


@pytest.mark.parametrize("method", METHODS)
def test_every_method_recovers_a_small_crowd(method):
    right = []
    for seed in range(3):
        people = CROWD["crowd"](np.random.default_rng(seed), 6)
        found = parse(*CROWD["render"](people, LAYOUT), LAYOUT, ParseOptions(method=method))
        right.append(CROWD["found_joints"](found.keypoints, people))
    recall, precision = CROWD["recall_and_precision"](right)
    assert recall > 0.97
    assert precision > 0.98


def test_all_limbs_of_the_complete_graph_in_one_programme_recover_a_crowd():
    layout = complete_layout(COCO_18)
    people = CROWD["crowd"](np.random.default_rng(3), 9)[:, [LAYOUT.skeleton.index(name) for name in COCO_18.joints]]
    found = parse(*CROWD["render"](people, layout), layout, ParseOptions(method="integer"))
    right, there, truth = CROWD["found_joints"](found.keypoints, people)
    assert right >= 0.99 * truth
    assert right >= 0.99 * there


@pytest.mark.parametrize("method", ["integer", "integer_tree"])
def test_at_the_time_limit_there_are_people_and_a_warning(method, caplog):
    people = CROWD["crowd"](np.random.default_rng(0), 3)
    maps = CROWD["render"](people, LAYOUT)
    with caplog.at_level(logging.WARNING):
        found = parse(*maps, LAYOUT, ParseOptions(method=method, time_limit_s=1e-9))
    assert "time limit" in caplog.text
    assert len(found) == 3
    assert CROWD["found_joints"](found.keypoints, people)[0] > 0.9 * np.isfinite(people[..., 0]).sum()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_nobody_on_empty_maps(method):
    nothing = np.zeros((25, 46, 82), np.float32), np.zeros((52, 46, 82), np.float32)
    assert len(parse(*nothing, LAYOUT, ParseOptions(method=method))) == 0
