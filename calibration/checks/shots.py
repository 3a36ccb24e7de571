"""What is wrong with shots of boards: mirrored images, boards taken upside down, cameras that cannot be joined."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.checks.fit import best_exchange
from triskel.calibration.checks.geometry import Finding, check_rig
from triskel.calibration.checks.joining import (
    IdealView,
    agreement,
    board_poses,
    ideal_view,
    reflections,
    sees_front,
)
from triskel.calibration.flat_poses import FlatPoses
from triskel.calibration.world.scale import board_sizes
from triskel.camera import Camera, Rig
from triskel.errors import InputError
from triskel.triangulate import TriangulateOptions, triangulate_points

FEWEST_SHOTS = 4
ONE_SIDE = 0.85
"""Share of a camera's views on one side of the board from which it is taken to see always that side."""
JOINS, APART = 0.7, 0.5
"""Share of the shots on whose relative pose two cameras agree: enough of them, or too few."""
SIZES_DIFFER = 0.01
FIT_PX = 8.0


class _Views(NamedTuple):
    """What one camera saw, by shot, without its lens."""

    ideal: dict[int, IdealView]
    poses: dict[int, FlatPoses]


def check_shots(
    shots: Sequence[Mapping[str, BoardView]],
    cameras: Iterable[Camera],
    board: Board | Sequence[Board],
    *,
    rig: Rig | None = None,
) -> list[Finding]:
    """Look for what makes shots of boards useless although each view for itself looks well; empty if nothing is found.

    It needs no calibrated rig. Each camera can see a mirrored board at a fraction of a pixel: mirrored in its plane, a
    flat board is a board seen from behind. Only from shot to shot the cameras then do not keep their places.

    Args:
        shots: what each camera saw in each shot, by name.
        cameras: with their intrinsics; poses are ignored.
        board: the board, or one for each shot.
        rig: the result of the calibration, or one that is to be tested with these shots: then exchanged videos, boards
            whose sizes contradict each other, and what `check_rig` finds are reported too.

    Raises:
        InputError: as many boards as shots are needed.
        ConfigError: a shot names a camera that is not among `cameras`.
    """
    known = Rig(tuple(cameras))
    boards = list(board) if isinstance(board, Sequence) else [board] * len(shots)
    if len(boards) != len(shots):
        raise InputError(f"there are {len(shots)} shots but {len(boards)} boards; give one for each, or one for all")
    for shot in shots:
        for name in shot:
            known[name]  # raises for an unknown name
    findings = _check_extent(known, shots)
    views = {camera.name: _views(camera, shots, boards) for camera in known}
    mirrored = _check_sides(views, boards)
    findings += mirrored
    findings += _check_joins(views, boards, skip={finding.camera for finding in mirrored})
    if rig is not None:
        findings += _check_exchanged(rig, shots, boards)
        findings += _check_sizes(rig, shots, boards)
        findings += check_rig(rig)
    return sorted(findings, key=lambda finding: finding.severity != "error")


def _views(camera: Camera, shots: Sequence[Mapping[str, BoardView]], boards: list[Board]) -> _Views:
    ideal = {}
    for s, shot in enumerate(shots):
        view = ideal_view(camera, shot[camera.name]) if camera.name in shot and len(shot[camera.name].ids) else None
        if view is not None:
            ideal[s] = view
    return _Views(ideal, {s: board_poses(view, boards[s]) for s, view in ideal.items()})


def _check_extent(rig: Rig, shots: Sequence[Mapping[str, BoardView]]) -> list[Finding]:
    """Return cameras with corners outside of the image that their intrinsics are for."""
    findings = []
    for camera in rig:
        xy = [np.asarray(shot[camera.name].xy, dtype=np.float64) for shot in shots if camera.name in shot]
        every = np.concatenate([one.reshape(-1, 2) for one in xy]) if xy else np.zeros((0, 2))
        w, h = camera.size_wh
        outside = ((every < -1) | (every > (w, h))).any(axis=1)
        if len(every) and outside.any():
            far = every[outside].max(axis=0)
            message = (
                f"corners at up to {far[0]:.0f}, {far[1]:.0f} px lie outside of the {w} x {h} px that its intrinsics "
                "are for: the recording has another size, or is turned"
            )
            findings.append(Finding("error", camera.name, message, "image-size"))
    return findings


def _check_sides(views: dict[str, _Views], boards: list[Board]) -> list[Finding]:
    """Return cameras that always see the other side of the board than the rest: boards are printed on one side."""
    share = {}
    for name, one in views.items():
        fronts = [sees_front(view, boards[s]) for s, view in one.ideal.items()]
        if len(fronts) >= FEWEST_SHOTS:
            share[name] = float(np.mean(fronts))
    front = [name for name, value in share.items() if value >= ONE_SIDE]
    back = [name for name, value in share.items() if value <= 1 - ONE_SIDE]
    if not front and len(back) == len(share) and len(back) >= 2:
        message = (
            "all cameras see the board from behind: its corners are numbered as in a mirror, or all images mirrored"
        )
        return [Finding("warning", "", message, "mirrored-board")]
    if not front or not back or len(front) == len(back):
        return []
    odd, usual = sorted((back, front), key=len)
    side = "from behind" if odd is back else "from the front"
    message = f"sees the board {side}, unlike {', '.join(usual)}: its images are mirrored; switch that off"
    return [Finding("error", name, message, "mirrored-video") for name in odd]


def _check_joins(views: dict[str, _Views], boards: list[Board], *, skip: set[str]) -> list[Finding]:
    """Return cameras whose shots do not fit together with the others', and why, where that can be told."""
    names = [name for name in views if name not in skip]
    joins = {pair: agreement(views[pair[0]].poses, views[pair[1]].poses) for pair in combinations(names, 2)}
    joins = {pair: rows for pair, rows in joins.items() if len(rows) >= FEWEST_SHOTS}
    share = {pair: float(rows[:, 1].mean()) for pair, rows in joins.items()}
    findings: list[Finding] = []
    blamed: set[str] = set()
    while True:
        left = {pair: value for pair, value in share.items() if not blamed & set(pair)}
        apart = [pair for pair, value in left.items() if value < APART]
        if not apart:
            break
        # The camera that fits with the fewest others; of two alone either may be the one.
        counts = {name: sum(name in pair for pair in apart) for name in names}
        worst = max(names, key=lambda name: (counts[name], -np.mean([v for p, v in left.items() if name in p] or [1])))
        partners = [next(n for n in pair if n != worst) for pair in left if worst in pair]
        findings.append(_why_apart(worst, partners, views, boards, share, alone=len(left) == 1))
        blamed.add(worst)
    for name in names:
        if name not in blamed:
            findings += _flipped(name, [n for n in names if n not in blamed], views, boards, joins)
    return findings


def _why_apart(
    name: str,
    partners: list[str],
    views: dict[str, _Views],
    boards: list[Board],
    share: dict[tuple[str, str], float],
    *,
    alone: bool,
) -> Finding:
    """Return the finding about a camera that cannot be joined, after trying whether its images are mirrored."""
    now = float(
        np.mean([value for pair, value in share.items() if name in pair and (set(pair) - {name}) <= set(partners)])
    )
    who = f"{name}, {partners[0]}" if alone else name
    for how in (None, "mirrored_x", "mirrored_y"):
        other = _mirrored(views[name], boards, how)
        rows = [agreement(other, views[partner].poses) for partner in partners]
        value = float(np.mean([one[:, 1].mean() for one in rows if len(one)] or [0.0]))
        if value >= JOINS and value > now + 0.25:
            message = (
                f"{'one of them has' if alone else 'has'} mirrored images: {now:.0%} of the shots fit together as they "
                f"are, {value:.0%} if mirrored back; switch mirroring off in the camera"
            )
            return Finding("error", who, message, "mirrored-video")
    message = (
        f"fit{'' if alone else 's'} together with {'each other' if alone else ', '.join(partners)} in {now:.0%} of the "
        "shots: not synchronised, moved during the recording, another board, or intrinsics of another camera"
    )
    return Finding("error", who, message, "cannot-join")


def _mirrored(one: _Views, boards: list[Board], how: str | None) -> dict[int, FlatPoses]:
    """Return the poses if the images were mirrored: with corners numbered by the detector anew, or as they are."""
    poses = {}
    for s, view in one.ideal.items():
        renumber = reflections(boards[s]).get(how) if how else None
        if how and renumber is None:
            continue
        ids = view.ids if renumber is None else renumber[view.ids]
        poses[s] = board_poses(IdealView(np.asarray(ids, dtype=np.int64), view.xy * (-1.0, 1.0)), boards[s])
    return poses


def _flipped(
    name: str,
    names: list[str],
    views: dict[str, _Views],
    boards: list[Board],
    joins: dict[tuple[str, str], NDArray[np.float64]],
) -> list[Finding]:
    """Return a word about shots in which a camera took the board's far end for its near one."""
    pairs = [pair for pair in joins if name in pair and set(pair) <= set(names)]
    odd = [set(rows[rows[:, 1] == 0, 0].astype(int)) for rows in (joins[pair] for pair in pairs)]
    if not pairs:
        return []
    # In a shot seen by more than two the one view that is wrong disagrees with all the others.
    everywhere = set.union(*odd)
    for pair, bad in zip(pairs, odd, strict=True):
        everywhere -= set(joins[pair][:, 0].astype(int)) - bad
    poses = dict(views[name].poses)
    for s in everywhere:
        turned = reflections(boards[s]).get("turned")
        if turned is not None:
            view = views[name].ideal[s]
            poses[s] = board_poses(IdealView(np.asarray(turned[view.ids], dtype=np.int64), view.xy), boards[s])
    mended: set[int] = set()
    for pair in pairs:
        partner = next(other for other in pair if other != name)
        rows = agreement(poses, views[partner].poses)
        mended |= everywhere & set(rows[rows[:, 1] == 1, 0].astype(int))
    if not mended:
        return []
    message = (
        f"took the board upside down in {len(mended)} shots (the first is {min(mended)}): its corners cannot be told "
        "from those of the board turned by 180 degrees; leave these out, or use a board with markers"
    )
    return [Finding("warning", name, message, "flipped-board")]


def _check_exchanged(rig: Rig, shots: Sequence[Mapping[str, BoardView]], boards: list[Board]) -> list[Finding]:
    """Return pairs of cameras that fit a rig only under each other's names."""
    xy = _corner_table(rig, shots, boards)
    seen = np.isfinite(xy[..., 0])
    xy = xy[:, seen.sum(axis=0) >= 2]
    total = int(np.isfinite(xy[..., 0]).sum())
    if not total:
        return []
    options = TriangulateOptions(max_reproj_px=FIT_PX)

    def explained(trial: Rig) -> float:
        return float(triangulate_points(trial, xy, options=options).views.sum()) / total

    present = explained(rig)
    if present >= JOINS:
        return []
    pairs, value = best_exchange(rig, rig.names, explained, present)
    if not pairs or value < JOINS:
        message = f"the rig explains {present:.0%} of the corners to {FIT_PX:g} px: is it the rig of these shots?"
        return [Finding("error", "", message, "does-not-fit")]
    rise = f"the share of corners that fit rises from {present:.0%} to {value:.0%} if they are put back"
    message = f"their recordings are exchanged: {rise}"
    return [Finding("error", f"{a}, {b}", message, "swapped-cameras") for a, b in pairs]


def _corner_table(
    rig: Rig, shots: Sequence[Mapping[str, BoardView]], boards: list[Board], *, most: int = 60
) -> NDArray[np.float64]:
    """Return px (C, P, 2) of the corners of some shots, NaN where a camera did not see them."""
    chosen = range(0, len(shots), max(1, -(-len(shots) // most)))
    tables = []
    for s in chosen:
        xy = np.full((len(rig), len(boards[s].corners), 2), np.nan)
        for c, name in enumerate(rig.names):
            if name in shots[s]:
                xy[c, shots[s][name].ids] = shots[s][name].xy
        tables.append(xy)
    return np.concatenate(tables, axis=1) if tables else np.zeros((len(rig), 0, 2))


def _check_sizes(rig: Rig, shots: Sequence[Mapping[str, BoardView]], boards: list[Board]) -> list[Finding]:
    """Return boards whose given size contradicts that of the others, or of the rig."""
    ratios = board_sizes(rig, shots, boards)
    kinds: dict[str, list[int]] = {}
    for s, board in enumerate(boards):
        kinds.setdefault(board.name, []).append(s)
    sizes = {
        name: float(np.nanmedian(ratios[members]))
        for name, members in kinds.items()
        if np.isfinite(ratios[members]).any()
    }
    if not sizes:
        return []
    findings = []
    low, high = min(sizes.values()), max(sizes.values())
    if len(sizes) > 1 and high > (1 + SIZES_DIFFER) * low:
        parts = ", ".join(f"{name} {value - 1:+.1%}" for name, value in sizes.items())
        message = f"the boards' sizes contradict each other by {high / low - 1:.1%} ({parts}): measure their squares"
        findings.append(Finding("error", "", message, "board-sizes"))
    elif abs(low - 1) > SIZES_DIFFER:
        message = (
            f"the board comes out {abs(low - 1):.1%} {'larger' if low > 1 else 'smaller'} than given: the rig's scale, "
            "or the size given for its squares, is wrong"
        )
        findings.append(Finding("error", "", message, "wrong-scale"))
    return findings
