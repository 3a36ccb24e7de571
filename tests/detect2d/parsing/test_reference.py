"""The compiled parse against a plain one that follows the paper and the published rules step by step."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from triskel.detect2d.layout import LAYOUTS
from triskel.detect2d.parsing import MAXIMISE_POSITIVES, ParseOptions, find_candidates, parse
from triskel.detect2d.parsing.limbs import good_shares, score_limbs

CROWD = runpy.run_path(str(Path(__file__).with_name("crowd.py")))  # tests are not a package
LAYOUT = LAYOUTS["body_25"]


def sampled(field, x, y):
    """Bilinear samples of a map at cells x, y within it."""
    j, i = np.minimum(x.astype(int), field.shape[1] - 2), np.minimum(y.astype(int), field.shape[0] - 2)
    fx, fy = x - j, y - i
    top = field[i, j] * (1 - fx) + field[i, j + 1] * fx
    return top * (1 - fy) + (field[i + 1, j] * (1 - fx) + field[i + 1, j + 1] * fx) * fy


def line_integral(fields, a, b, threshold):
    """Equation 11 with as many samples as the published rule says: mean of the good ones, and their share."""
    d = b - a
    count = int(np.clip(np.floor(np.sqrt(5 * 8 * np.abs(d).max()) + 0.5), 5, 25))
    x, y = (a + np.linspace(0, 1, count)[:, None] * d).T
    value = (sampled(fields[0], x, y) * d[0] + sampled(fields[1], x, y) * d[1]) / np.hypot(*d)
    good = value > threshold
    return (value[good].mean() if good.any() else 0.0), good.mean()


def plain_limbs(affinity, cells, part, options):
    """Every pair that passes for a limb: (limb, a, b, affinity)."""
    near = np.sqrt(affinity.shape[1] * affinity.shape[2]) / 150
    limbs = []
    for k, (a, b) in enumerate(LAYOUT.limbs):
        for i in np.flatnonzero(part == a):
            for j in np.flatnonzero(part == b):
                fields = affinity[2 * k : 2 * k + 2].astype(float)
                value, share = line_integral(fields, cells[i], cells[j], options.sample_threshold)
                if share <= options.good_share:
                    if np.hypot(*(cells[j] - cells[i])) >= near:
                        continue
                    value = options.peak_threshold + 1e-6
                limbs.append((k, int(i), int(j), value))
    return limbs


def plain_people(limbs, score, part):
    """The greedy assembly with sets: [{part: candidate}, sum of affinities, limbs]."""
    people = []
    for _, a, b, value in sorted(limbs, key=lambda limb: -(limb[3] + 0.1 * (score[limb[1]] + score[limb[2]]))):
        with_a = next((p for p in people if p[0].get(part[a]) == a), None)
        with_b = next((p for p in people if p[0].get(part[b]) == b), None)
        if with_a is None and with_b is None:
            people.append([{part[a]: a, part[b]: b}, value, 1])
        elif with_a is with_b:
            with_a[1], with_a[2] = with_a[1] + value, with_a[2] + 1
        elif with_a is None or with_b is None:
            person, new = (with_b, a) if with_a is None else (with_a, b)
            if part[new] not in person[0]:
                person[0][part[new]] = new
                person[1], person[2] = person[1] + value, person[2] + 1
        elif not with_a[0].keys() & with_b[0].keys():
            with_a[0].update(with_b[0])
            with_a[1], with_a[2] = with_a[1] + with_b[1] + value, with_a[2] + with_b[2] + 1
            people = [person for person in people if person is not with_b]
    return people


def plain_parse(confidence, affinity, options):
    """People as a list of ({part: (x, y)} in input px, score), in no order."""
    xy, score, part = find_candidates(confidence, LAYOUT, options)
    people = plain_people(plain_limbs(affinity, (xy + 0.5) / 8 - 0.5, part, options), score, part)

    def kept(feet_rule):
        for parts, total, limbs in people:
            body = [j for j in parts if not (feet_rule and j in LAYOUT.uncounted)]
            whole = sum(score[m] for m in parts.values()) + total
            only_feet = len(body) < len(parts) and len(body) <= 4
            if len(body) >= options.fewest_parts and not only_feet and whole / len(parts) >= options.least_score:
                yield {j: xy[m] for j, m in parts.items()}, min(whole / (len(parts) + limbs), 1)

    return list(kept(feet_rule=True)) or list(kept(feet_rule=False))


def as_rows(people):
    """Everybody as one row of sorted numbers, so that people can be compared without their order."""
    rows = [[score, *(number for j in sorted(parts) for number in (j, *parts[j]))] for parts, score in people]
    return sorted(rows)


@pytest.mark.parametrize(
    ("count", "noise", "options"),
    [
        (1, 0.0, ParseOptions()),
        (9, 0.0, ParseOptions()),
        (9, 0.1, ParseOptions(peak_threshold=0.3, good_share=0.8)),
        (14, 0.02, ParseOptions(sample_threshold=0.2, peak_threshold=0.1)),
        (5, 0.008, MAXIMISE_POSITIVES),
    ],
)
def test_the_compiled_parse_equals_a_plain_one(count, noise, options):
    rng = np.random.default_rng(count)
    confidence, affinity = CROWD["render"](CROWD["crowd"](rng, count), LAYOUT, noise=noise, rng=rng)
    expected = as_rows(plain_parse(confidence, affinity, options))
    people = parse(confidence, affinity, LAYOUT, options)
    found = [
        ({j: xy for j, xy in enumerate(one[:, :2]) if np.isfinite(xy[0])}, score)
        for one, score in zip(people.keypoints, people.scores, strict=True)
    ]
    assert len(expected) >= 1
    for mine, theirs in zip(as_rows(found), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)


def test_affinities_and_shares_equal_the_line_integral():
    rng = np.random.default_rng(7)
    affinity = rng.uniform(-1, 1, (2 * len(LAYOUT.limbs), 20, 30)).astype(np.float32)
    xy = rng.uniform(0, (29, 19), (75, 2))
    start = np.arange(0, 76, 3)
    arguments = affinity, LAYOUT.limb_array, xy, start
    pairs, values = score_limbs(*arguments, 0.05, -1.0, 0.0, 0.0, 8.0)  # a share below 0 lets every pair pass
    assert len(pairs) == 9 * len(LAYOUT.limbs)
    shares = good_shares(affinity, pairs, xy, 0.05, 8.0)
    for (k, i, j), value, share in zip(pairs, values, shares, strict=True):
        expected = line_integral(affinity[2 * k : 2 * k + 2].astype(float), xy[i], xy[j], 0.05)
        np.testing.assert_allclose((value, share), expected, rtol=0, atol=1e-6)
    # Those with enough good samples, and no others, are the ones found when a share is asked for.
    for least in (0.3, 0.6):
        found, again = score_limbs(*arguments, 0.05, least, 0.0, 0.0, 8.0)
        np.testing.assert_array_equal(found, pairs[shares > least])
        np.testing.assert_allclose(again, values[shares > least], rtol=0, atol=1e-12)
