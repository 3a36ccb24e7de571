"""The lenses of a recording's cameras: calibrated, given, or both; and how well each is known."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.footage import BoardFootage
from triskel.camera import Camera, Rig
from triskel.errors import InputError, JobError
from triskel.progress import Progress, silent

if TYPE_CHECKING:
    from triskel.calibration.intrinsics import Choice, IntrinsicsResult

log = logging.getLogger(__name__)


class OneBoard(NamedTuple):
    """Several boards as one list of corners, for what looks at each view by itself: there a corner is a corner.

    Attributes:
        corners: (K, 3) m, board after board.
        first: (B,) where each board's corners begin.
    """

    corners: NDArray[np.float64]
    first: NDArray[np.int64]

    @property
    def name(self) -> str:
        """Return a name that no file gives a board."""
        return "all boards"

    def describe(self) -> str:
        """Say what it is."""
        return f"{len(self.first)} boards with {len(self.corners)} corners in all"

    @classmethod
    def of(cls, boards: Sequence[Board]) -> "OneBoard":
        """Join boards."""
        counts = [len(board.corners) for board in boards]
        return cls(np.concatenate([board.corners for board in boards]), np.cumsum([0, *counts[:-1]]))

    def view(self, view: BoardView, board: int) -> BoardView:
        """Return a view of one of the boards with ids of all of them."""
        return BoardView(view.ids + self.first[board], view.xy)

    def detect(self, image_rgb: NDArray[np.uint8]) -> BoardView:
        """Refuse: corners of different boards do not lie in one plane."""
        raise NotImplementedError("several boards are looked for one by one")


def lenses_from_boards(
    footage: BoardFootage,
    *,
    cameras: Sequence[str] | None = None,
    model: "Choice" = "auto",
    force: bool = False,
    progress: Progress = silent,
) -> "dict[str, IntrinsicsResult]":
    """Calibrate each camera of a recording by itself.

    Args:
        footage: what was seen; some hundred views a camera at most are used, those that say most.
        cameras: the cameras wanted; all when None.
        model: the lens model; `auto` chooses by errors on views that were left out.
        force: take what the data cannot carry, with a warning.
        progress: told after each camera.

    Raises:
        InputError: what a camera saw cannot carry a calibration; the message names every such camera.
    """
    from triskel.calibration.footage import choose_views
    from triskel.calibration.intrinsics import calibrate_intrinsics

    wanted = list(footage.names) if cameras is None else list(cameras)
    joined = OneBoard.of(footage.boards)
    found, refused = {}, []
    for done, name in enumerate(wanted, start=1):
        views = []
        for k in range(len(footage.boards)):
            one = footage.of(name, k)
            chosen = one[choose_views(one)]
            views += [joined.view(view, k) for view in chosen.views]
        try:
            found[name] = calibrate_intrinsics(
                views, joined, size_wh=footage.sizes[name], name=name, model=model, force=force
            )
        except (InputError, JobError) as error:
            refused.append(str(error))
        progress("lenses", done, len(wanted))
    if refused:
        raise InputError("; ".join(refused))
    return found


def say_warnings(found: "Mapping[str, IntrinsicsResult]") -> None:
    """Log what makes lenses weaker than they could be."""
    for result in found.values():
        for warning in result.warnings:
            log.warning("%s", warning)


class Lenses(NamedTuple):
    """Every camera of a recording with its lens.

    Attributes:
        found: how lenses were calibrated, by camera; none for those that were given.
        cameras: all cameras, for images of the recording's size; their poses mean nothing.
        covariance: of those that were calibrated, by camera: (4 + n, 4 + n) of fx fy cx cy and n coefficients, in
            pixels of the recording.
    """

    found: "dict[str, IntrinsicsResult]"
    cameras: tuple[Camera, ...]
    covariance: dict[str, NDArray[np.float64]]

    @property
    def are_sound(self) -> bool:
        """Say whether lenses were calibrated, and all of them without a warning."""
        return bool(self.found) and not any(result.warnings for result in self.found.values())


def lenses_of(
    footage: BoardFootage,
    *,
    given: Rig | None = None,
    close_ups: BoardFootage | None = None,
    model: "Choice" = "auto",
    force: bool = False,
    progress: Progress = silent,
) -> Lenses:
    """Return the lens of every camera of a recording.

    Args:
        footage: the recording whose cameras are wanted.
        given: cameras whose lenses are known; the others are calibrated.
        close_ups: another recording to calibrate them from.
        model: as in `lenses_from_boards`.
        force: as there.
        progress: as there.

    Raises:
        InputError: as there, or the close-ups lack a camera.
    """
    unknown = [name for name in footage.names if given is None or name not in given.names]
    source = close_ups or footage
    missing = [name for name in unknown if name not in source.names]
    if missing:
        raise InputError(f"{source.source}: no recording of {', '.join(missing)}; it has {', '.join(source.names)}")
    found: dict[str, IntrinsicsResult] = {}
    if unknown:
        found = lenses_from_boards(source, cameras=unknown, model=model, force=force, progress=progress)
    cameras, covariance = [], {}
    for name in footage.names:
        camera = found[name].camera if name in found else _given(given, name)
        fitted = camera if camera.size_wh == footage.sizes[name] else _fitted(camera, footage.sizes[name])
        cameras.append(fitted)
        if name in found:
            covariance[name] = _rescaled(found[name].certainty.covariance, camera, fitted)
    return Lenses(found, tuple(cameras), covariance)


def _given(rig: Rig | None, name: str) -> Camera:
    if rig is None:
        raise ValueError(f"no lens for {name}")
    return rig[name]


def _fitted(camera: Camera, size_wh: tuple[int, int]) -> Camera:
    """Return a camera for images of another size than its lens was calibrated at, with a warning."""
    from triskel.calibration.checks import match_image_sizes

    rig, warnings = match_image_sizes(Rig((camera,)), {camera.name: size_wh})
    for warning in warnings:
        log.warning("%s", warning)
    return rig.cameras[0]


def _rescaled(covariance: NDArray[np.float64], old: Camera, new: Camera) -> NDArray[np.float64]:
    """Return a lens's covariance in the pixels of its resized images; coefficients have no unit."""
    sx, sy = new.K[0, 0] / old.K[0, 0], new.K[1, 1] / old.K[1, 1]
    scale = np.r_[sx, sy, sx, sy, np.ones(len(covariance) - 4)]
    return covariance * np.outer(scale, scale)
