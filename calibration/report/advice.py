"""What to do to make a calibration better, in words: rules on the numbers, the most important first."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from triskel.calibration.report.from_people import people_advice
from triskel.calibration.report.image_cells import joined, side_words, unseen_edges
from triskel.calibration.report.numbers import CalibrationNumbers, CameraNumbers
from triskel.calibration.report.volume import height_words

MOST = 6
"""Pieces of advice that anyone follows at a time."""

FEW_VIEWS, ENOUGH_VIEWS = 12, 24
"""Images of the board below which a camera is short of them, and at which it is not."""

LEFT_OUT_PERCENT = 5.0
"""Corners left out as misdetected: more than this are not bad luck but blur, glare or boards out of step."""

MINOR = ("volume", "uncertain-camera", "coverage")
"""Rules that tell how to make a good calibration better."""

WORSE, WORSE_PX = 2.0, 0.5
"""A camera whose error is so many times that of the others, and more than so many px, has a reason for it."""

SYSTEMATIC = 0.4
"""Share of the error that is the same for all corners in a part of the image: noise has no direction, so this is the
lens or the pose. Cells of few corners are left out."""

SYSTEMATIC_PX = 0.2

LENS_PX = 0.5
"""Standard error of a lens in the image's corners, below which more corners of the board there do not matter."""

SEEN_SHARE = 0.45
"""Share of the image's cells with corners, below which the lens is a guess in the rest."""

HELD_OUT_PERCENT = 2.0
"""The mean distance on 95 % of the held-out boards should be within this of the truth; printers do better."""

UNEVEN = 3.0
"""So many times as uncertain as where the boards were, or as the other cameras, is worth another recording."""

UNEVEN_MM = 2.0
"""Below so many mm, no use of body joints would notice."""


class Advice(NamedTuple):
    """One thing to do.

    Attributes:
        code: short stable name of the rule.
        cameras: names of the cameras it is about; empty for the whole rig.
        text: what is the matter, and what to do; one line.
    """

    code: str
    cameras: tuple[str, ...]
    text: str


def advise(numbers: CalibrationNumbers) -> list[Advice]:
    """Return at most six pieces of advice, the most important first; none where nothing is worth doing."""
    found: list[Advice] = [Advice(*one) for one in people_advice(numbers.people)] if numbers.people else []
    rules: tuple[Callable[[CalibrationNumbers], Iterable[Advice]], ...] = (
        _unseen,
        _weak_links,
        _few_views,
        _lens_warnings,
        _coverage,
        _worse,
        _systematic,
        _left_out,
        _uncertain_cameras,
        _uneven_volume,
        _held_out,
    )
    for rule in rules:
        found += rule(numbers)
    return found[:MOST]


def _unseen(numbers: CalibrationNumbers) -> list[Advice]:
    """Cameras that never saw the board."""
    if not numbers.n_shots and numbers.has_rig:
        return []
    names = tuple(c.name for c in numbers.cameras if c.n_views == 0)
    if not names:
        return []
    text = f"{joined(names)} never saw the board: check that it was in view, sharp, and as described, and record again"
    return [Advice("never-saw", names, text)]


def _weak_links(numbers: CalibrationNumbers) -> list[Advice]:
    """Links of the rig that rest on few shots."""
    found = []
    for link in sorted((link for link in numbers.links if link.is_weak), key=lambda link: link.shots):
        a, b = numbers.cameras[link.first].name, numbers.cameras[link.second].name
        text = (
            f"{a} and {b} saw the board together in only {_count(link.shots, 'shot')}, and nothing ties them better: "
            f"show it {_more(link.shots)} more times where both see it"
        )
        found.append(Advice("weak-link", (a, b), text))
    return found[:2]


def _few_views(numbers: CalibrationNumbers) -> list[Advice]:
    """Cameras that saw the board too seldom; where, if it was on one side only."""
    found = []
    tied = {numbers.cameras[k].name for link in numbers.links if link.is_weak for k in (link.first, link.second)}
    for c in sorted(numbers.cameras, key=lambda c: c.n_views):
        where, instead = side_words(c.xy, c.size_wh)
        if c.n_views == 0 or (c.n_views >= FEW_VIEWS and (not where or c.lens)):
            continue
        if c.name in tied and not where:  # the advice on the link has asked for as many
            continue
        seen = f"saw the board in {_count(c.n_views, 'frame')}"
        text = f"{c.name} {seen}{f', all {where}' if where else ''}: show it {_more(c.n_views)} more"
        text += f", {instead} of its image" if instead else ", in all parts of its image and at different distances"
        found.append(Advice("few-views", (c.name,), text))
    return found if len(found) <= 2 else [*found[:1], _together("few-views", found[1:], "saw the board seldom, too")]


def _together(code: str, found: list[Advice], what: str) -> Advice:
    """Return one piece of advice in place of many that say the same of other cameras."""
    names = tuple(name for one in found for name in one.cameras)
    return Advice(code, names, f"{joined(names)} {what}: show it {_more(FEW_VIEWS // 2)} more times to each of them")


def _lens_warnings(numbers: CalibrationNumbers) -> list[Advice]:
    """Lenses whose calibration warned; what it said stands among the checks."""
    weak = [c for c in numbers.cameras if c.lens and c.lens.warnings]
    if not weak:
        return []
    names = tuple(c.name for c in weak)
    which, whom = ("lens", "it") if len(weak) == 1 else ("lenses", "each of them")
    text = (
        f"The {which} of {joined(names)} {'is' if len(weak) == 1 else 'are'} weakly determined (see below): show "
        f"the board to {whom} closer, in all parts of the image and into its corners, tilted by 30 to 45 degrees"
    )
    return [Advice("lens", names, text)]


def _coverage(numbers: CalibrationNumbers) -> list[Advice]:
    """Parts of images with hardly a corner, where the lens is a guess. Only where lenses were calibrated."""
    by_edges: dict[tuple[str, ...], list[tuple[CameraNumbers, float]]] = {}
    for c in numbers.cameras:
        if c.lens is None or c.lens.warnings or c.lens.corner_sigma_px < LENS_PX or not c.coverage.counts.any():
            continue
        edges = tuple(unseen_edges(c.coverage.counts))
        if edges or c.coverage.seen_share < SEEN_SHARE:
            by_edges.setdefault(edges, []).append((c, c.lens.corner_sigma_px))
    found = []
    for edges, rows in sorted(by_edges.items(), key=lambda item: -max(np.nan_to_num(row[1]) for row in item[1])):
        names = tuple(c.name for c, _ in rows)
        where = f"the {joined(edges)}" if edges and len(edges) < 4 else "the border"
        px = float(np.fmax.reduce([sigma for _, sigma in rows]))
        guess = f"uncertain by {px:.1f} px in the worst corner" if math.isfinite(px) else "a guess there"
        text = (
            f"{joined(names)} hardly saw the board at {where} of the image, and the lens is {guess}: hold it there, "
            "close to the camera and tilted, for 10 frames"
        )
        found.append(Advice("coverage", names, text))
    return found[:2]


def _worse(numbers: CalibrationNumbers) -> list[Advice]:
    """Cameras that fit much worse than the others."""
    found = []
    for c in numbers.cameras:
        others = [one.rms_px for one in numbers.cameras if one is not c and math.isfinite(one.rms_px)]
        if len(others) >= 2 and c.rms_px > WORSE_PX and c.rms_px > WORSE * float(np.median(others)):
            cause = (
                "it is out of step with them, blurred, or its lens is not well described"
                if numbers.has_rig
                else "blur?"
            )
            text = (
                f"{c.name} fits the board to {c.rms_px:.1f} px, the others to {float(np.median(others)):.1f} px: "
                f"{cause}; check its synchronisation and focus, and hold the board still"
            )
            found.append(Advice("worse", (c.name,), text))
    return found[:2]


def _systematic(numbers: CalibrationNumbers) -> list[Advice]:
    """Cameras whose residuals have a direction."""
    found = []
    for c in numbers.cameras:
        mean = systematic_px(c)
        if mean > SYSTEMATIC_PX and mean > SYSTEMATIC * c.rms_px:
            text = (
                f"The errors of {c.name} point the same way within parts of its image ({mean:.1f} of {c.rms_px:.1f} "
                "px), which "
                "noise does not: calibrate its lens again from close, tilted boards in all parts of the image"
            )
            found.append(Advice("systematic", (c.name,), text))
    return found[:2]


def systematic_px(camera: CameraNumbers) -> float:
    """Return the RMS over the image's cells of the mean residual, less what noise alone leaves, px; NaN without any."""
    counts, mean = camera.errors.counts, camera.errors.mean_px
    use = (counts >= 5) & np.isfinite(mean).all(axis=2)
    if use.sum() < 4:
        return math.nan
    # Of n corners with independent noise, the mean keeps 1/n of the squared error.
    noise = camera.rms_px**2 / counts[use]
    weight = counts[use] / counts[use].sum()
    return math.sqrt(max(float(((mean[use] ** 2).sum(axis=1) - noise) @ weight), 0.0))


def _left_out(numbers: CalibrationNumbers) -> list[Advice]:
    """Cameras with many corners left out."""
    worst = [(100 * c.n_left_out / max(c.n_corners + c.n_left_out, 1), c) for c in numbers.cameras]
    bad = [(percent, c) for percent, c in sorted(worst, key=lambda one: -one[0]) if percent > LEFT_OUT_PERCENT]
    if not bad:
        return []
    names = tuple(c.name for _, c in bad)
    text = (
        f"{joined(names)}: {bad[0][0]:.0f} % of the corners were left out as misdetected; hold the board still and "
        "flat, avoid "
        "glare, shorten the exposure"
    )
    return [Advice("left-out", names, text)]


def _uncertain_cameras(numbers: CalibrationNumbers) -> list[Advice]:
    """Cameras whose place is known much worse than that of the others."""
    sigma = np.array([np.sqrt(np.sum(c.centre_sigma_mm**2)) for c in numbers.cameras])
    if np.isfinite(sigma).sum() < 3:
        return []
    typical = float(np.nanmedian(sigma))
    bad = [k for k in np.argsort(-np.nan_to_num(sigma)) if sigma[k] > max(UNEVEN * typical, UNEVEN_MM)]
    return [
        Advice(
            "uncertain-camera",
            (numbers.cameras[k].name,),
            f"The place of {numbers.cameras[k].name} is uncertain by {sigma[k]:.1f} mm, that of the others by "
            f"{typical:.1f} mm: "
            f"show the board nearer to it, {_tied_to(numbers, int(k))}",
        )
        for k in bad[:2]
    ]


def _tied_to(numbers: CalibrationNumbers, camera: int) -> str:
    """Name the cameras that share most shots with one."""
    mine = [link for link in numbers.links if camera in (link.first, link.second)]
    names = [numbers.cameras[one.second if one.first == camera else one.first].name for one in mine[:2]]
    return f"where {joined(names)} see{'s' if len(names) == 1 else ''} it too" if names else "where others see it too"


def _uneven_volume(numbers: CalibrationNumbers) -> list[Advice]:
    """Heights at which points are known much worse than where the boards were."""
    volume, plan = numbers.volume, numbers.plan
    if volume is None or plan is None or not math.isfinite(volume.board_low_m):
        return []
    limit = max(UNEVEN * volume.typical_mm, UNEVEN_MM)
    outside = [one for one in volume.slices if not volume.board_low_m <= one.height_m <= volume.board_high_m]
    bad = [one for one in outside if one.typical_mm > limit]
    if not bad:
        return []
    worst = max(bad, key=lambda one: one.typical_mm)
    part = "lower" if worst.height_m < volume.board_low_m else "upper"
    low, high = (height_words(plan, height) for height in (volume.board_low_m, volume.board_high_m))
    text = (
        f"Points {height_words(plan, worst.height_m)} are uncertain by {worst.typical_mm:.1f} mm, those where the "
        "board was "
        f"by {volume.typical_mm:.1f} mm; it was from {low} to {high}: move it through the {part} part of the "
        "volume, too"
    )
    return [Advice("volume", (), text)]


def _held_out(numbers: CalibrationNumbers) -> list[Advice]:
    """Distances that come out wrong."""
    held = numbers.held_out
    if held is None or held.board_p95_percent <= HELD_OUT_PERCENT:
        return []
    text = (
        f"The mean distance on 5 % of the boards is off by more than {held.board_p95_percent:.1f} %: hold the board "
        "still, "
        "check that it is flat, and that the cameras run in step"
    )
    return [Advice("held-out", (), text)]


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _more(n: int) -> int:
    """Return how many more images it takes, in fives."""
    return max(5, 5 * math.ceil((ENOUGH_VIEWS - n) / 5))
