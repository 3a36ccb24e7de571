"""Whether cameras stayed where they are during a recording: parts of it fitted alone, against the rest."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.people.bundle import residuals
from triskel.calibration.people.certainty import camera_covariance
from triskel.calibration.people.fit import (
    PeopleFit,
    clear,
    fit_observed,
    moved_by,
    neutral_covariance,
    sigmas,
    significance,
)
from triskel.calibration.people.gauge import camera_moves, move_size, reach
from triskel.calibration.people.sightings import RefineOptions

LEAST_MOVE_M = 0.005
"""A move is worth a word from here on (a turn counts as the shift it causes at what is looked at)."""
LEAST_STEP_M = 0.02
"""The same for a step within a recording: its parts show people in fewer places and from fewer sides, and what a
detector gets wrong there looks like a move. On the two-person sample of Pose2Sim, whose cameras stood still, 16 mm."""
FEWEST_FRAMES = 25
"""Frame sets of the shortest part: with fewer, people stand in one place."""

Verdict = Literal["stayed", "perhaps", "moved", "bumped", "placed", "not seen"]


class DriftRow(NamedTuple):
    """One camera in one part of the recording, against the rig of the whole.

    Attributes:
        camera: its name.
        start_s: begin of the part.
        end_s: end of the part.
        moved_mm: how far its centre is from where the whole has it.
        turned_deg: by how much it is turned.
        moved_sigma_mm: standard error of that.
        turned_sigma_deg: standard error of that.
        verdict: `moved` where that is more than chance and worth a word, and the standard errors show it; `perhaps`
            where they do not; `stayed` otherwise; `not seen`.
    """

    camera: str
    start_s: float
    end_s: float
    moved_mm: float
    turned_deg: float
    moved_sigma_mm: float
    turned_sigma_deg: float
    verdict: Verdict


class DriftEvent(NamedTuple):
    """A camera that stood differently after some moment.

    Attributes:
        camera: its name.
        time_s: the moment that divides the recording best.
        moved_mm: how far its centre went between the parts before and after it.
        turned_deg: by how much it turned.
    """

    camera: str
    time_s: float
    moved_mm: float
    turned_deg: float


class Step(NamedTuple):
    """A moment at which something moved: the first frame set after it, what moved, and the fits on both sides."""

    at: int
    events: tuple[DriftEvent, ...]
    before: PeopleFit
    after: PeopleFit


def drift(
    fit: PeopleFit,
    observed: NDArray[np.float64],
    time_s: NDArray[np.float64],
    *,
    fit_s: NDArray[np.float64],
    options: RefineOptions,
    border: int = 0,
) -> tuple[DriftRow, ...]:
    """Compare each part of a recording with a fit of more of it.

    Args:
        fit: the rig to compare with.
        observed: (F, C, N, J, 3) people told apart, px and score.
        time_s: (F,) of the frame sets, s.
        fit_s: of the frame sets that the fit was made of, s.
        options: `most_blocks` says into how many parts the recording is cut at most.
        border: frame set at which a part begins whatever the others are: a known step.

    Returns:
        One row for each part and camera, parts in turn; none where the recording is too short to be divided, or there
        are two cameras, whose errors show in one direction only.
    """
    parts = min(options.most_blocks, len(time_s) // FEWEST_FRAMES) if len(fit.rig) > 2 else 0
    rows: list[DriftRow] = []
    length = -(-len(time_s) // max(parts, 1))
    sides = [side for side in np.split(np.arange(len(time_s)), [border]) if len(side)]
    chunks = [chunk for side in sides for chunk in np.array_split(side, max(round(len(side) / length), 1))]
    whole = neutral_covariance(fit, fit_s, options=options) if parts > 1 else np.zeros(0)
    for chosen in chunks if parts > 1 else []:
        span = float(time_s[chosen[0]]), float(time_s[chosen[-1]])
        part = fit_observed(fit.rig, observed[chosen], time_s[chosen], options=options, noise_px=fit.bundle.noise_px)
        seen = np.zeros(len(fit.rig), bool)
        if part is not None:
            seen = np.bincount(part.views.camera, minlength=len(fit.rig)) >= FEWEST_FRAMES
            seconds = time_s[chosen]
            strange = _movers(fit, part, observed[chosen], seconds, fit_s, options, least_m=LEAST_MOVE_M)
            moved, turned = moved_by(fit.rig, part.rig)
            moved_sigma, turned_sigma = sigmas(whole + neutral_covariance(part, seconds, options=options))
            shown = clear(moved, turned, moved_sigma, turned_sigma)
        for c, name in enumerate(fit.rig.names):
            if not seen[c]:
                rows.append(DriftRow(name, *span, np.nan, np.nan, np.nan, np.nan, "not seen"))
                continue
            numbers = (float(moved[c]), float(turned[c]), float(moved_sigma[c]), float(turned_sigma[c]))
            verdict: Verdict = "stayed" if not strange[c] else "moved" if shown[c] else "perhaps"
            rows.append(DriftRow(name, *span, *numbers, verdict))
    return tuple(rows)


def find_step(
    fit: PeopleFit, observed: NDArray[np.float64], time_s: NDArray[np.float64], *, options: RefineOptions
) -> Step | None:
    """Look for the one moment at which a camera moved.

    Where the errors of the whole divide best into two levels, what comes before and what comes after are fitted
    alone; a walker's changing errors divide too, but then both fits agree.

    Returns:
        The moment, or None.
    """
    at = _best_division(_offsets(fit, len(time_s))) if len(fit.rig) > 2 else None
    if at is None:
        return None
    noise = fit.bundle.noise_px
    before = fit_observed(fit.rig, observed[:at], time_s[:at], options=options, noise_px=noise)
    if before is None:
        return None
    after = fit_observed(before.rig, observed[at:], time_s[at:], options=options, noise_px=noise)
    if after is None:
        return None
    strange = _movers(before, after, observed[at:], time_s[at:], time_s[:at], options, least_m=LEAST_STEP_M)
    moved, turned = moved_by(before.rig, after.rig)
    moment = float(0.5 * (time_s[at - 1] + time_s[at]))
    events = tuple(
        DriftEvent(fit.rig.names[c], moment, float(moved[c]), float(turned[c])) for c in np.flatnonzero(strange)
    )
    return Step(at, events, before, after) if events else None


def _movers(
    whole: PeopleFit,
    part: PeopleFit,
    observed: NDArray[np.float64],
    time_s: NDArray[np.float64],
    whole_s: NDArray[np.float64],
    options: RefineOptions,
    *,
    least_m: float,
) -> NDArray[np.bool_]:
    """Return which cameras (C,) differ between two fits by more than chance, and enough to matter.

    A camera that moved strains the others in a fit, so the one that differs most is named and taken out, and the rest
    are fitted again, until none differs. Of the last two nobody could say which.

    Args:
        whole: what is compared with.
        part: the fit to `observed`.
        observed: (F, C, N, J, 3) the people of the part.
        time_s: (F,) of its frame sets, s.
        whole_s: of the frame sets of `whole`, s.
        options: see there.
        least_m: the least move that matters.
    """
    moved, cams = np.zeros(len(whole.rig), bool), np.arange(len(whole.rig))
    while True:
        weight = np.zeros(len(whole.rig))
        weight[cams] = part.weight
        # Both certainties in one world: that in which the part was laid over the whole.
        everyone = np.ones(len(whole.rig), bool)
        same = camera_covariance(whole.bundle, whole.views, whole_s, free=everyone, weight=weight)[cams]
        moves = camera_moves(whole.rig.select([whole.rig.names[c] for c in cams]), part.rig)
        clusters = min(whole.clusters, part.clusters)
        strange = significance(moves, part.covariance + same, clusters=clusters)
        strange[move_size(moves, reach(part.rig, np.median(part.bundle.X, axis=0))) < least_m] = 0
        if strange.max() <= 1:
            return moved
        moved[cams[np.argmax(strange)]] = True
        if (strange > 1).sum() == 1 or len(cams) <= 3:
            return moved
        cams = np.flatnonzero(~moved)
        rest = whole.rig.select([whole.rig.names[c] for c in cams])
        seen = np.ascontiguousarray(observed[:, cams])
        again = fit_observed(rest, seen, time_s, options=options, noise_px=whole.bundle.noise_px)
        if again is None:
            return moved
        part = again


def _offsets(fit: PeopleFit, frames: int) -> NDArray[np.float64]:
    """Return (F, 2 C) the median error of every camera in every frame set, px; 0 where it saw nothing."""
    r = residuals(fit.rig, fit.views, fit.bundle.X)
    C = len(fit.rig)
    label = fit.views.frame[fit.views.point] * C + fit.views.camera
    order = np.argsort(label, kind="stable")
    found, starts = np.unique(label[order], return_index=True)
    out = np.zeros((frames * C, 2))
    for one, rows in zip(found, np.split(order, starts[1:]), strict=True):
        known = r[rows][np.isfinite(r[rows, 0])]
        if len(known):
            out[one] = np.median(known, axis=0)
    return out.reshape(frames, 2 * C)


def _best_division(offsets: NDArray[np.float64]) -> int | None:
    """Return the frame set from which on a series (F, n) has other means; None where it is too short."""
    n = len(offsets)
    if n < 2 * FEWEST_FRAMES:
        return None
    values = np.clip(offsets - np.median(offsets, axis=0), -100, 100)
    ends = np.arange(1, n)
    sums = np.cumsum(values, axis=0)
    gain = (sums[:-1] ** 2).sum(axis=1) / ends + ((sums[-1] - sums[:-1]) ** 2).sum(axis=1) / (n - ends)
    return int(np.argmax(gain[FEWEST_FRAMES - 1 : n - FEWEST_FRAMES])) + FEWEST_FRAMES
