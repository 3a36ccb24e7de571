"""What recordings of boards come to: which corners each camera saw in which frame, and which frames belong together."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.errors import InputError


@dataclass(frozen=True, eq=False, kw_only=True)
class CameraBoards:
    """Where one camera saw one board.

    Attributes:
        camera: its name.
        size_wh: width, height of its images, px.
        frames: (V,) rising numbers of the frames in which the board was seen, counted in this camera's recording.
        views: what was seen in each of them.
        board: index of the board among those of the footage.
        sets: (V,) the frame set, that is the moment, of each frame; frames of other cameras with the same number
            were taken together. The frame numbers where none are given.
        time_s: (V,) when each frame was taken, on a clock that all cameras share; NaN where nobody knows,
            and where none are given.
        looked_at: number of this camera's frames in which the board was looked for.
    """

    camera: str
    size_wh: tuple[int, int]
    frames: NDArray[np.int64]
    views: tuple[BoardView, ...]
    board: int = 0
    sets: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    time_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    looked_at: int = 0

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames, dtype=np.int64).reshape(-1)
        sets, time_s = np.asarray(self.sets, dtype=np.int64).reshape(-1), np.asarray(self.time_s, float).reshape(-1)
        sets = sets if len(sets) else frames
        time_s = time_s if len(time_s) else np.full(len(frames), np.nan)
        if not len(frames) == len(self.views) == len(sets) == len(time_s):
            raise ValueError(
                f"camera {self.camera}: {len(frames)} frames, {len(self.views)} views, {len(sets)} sets and "
                f"{len(time_s)} times do not belong together"
            )
        if (np.diff(frames) <= 0).any() or (np.diff(sets) <= 0).any():
            raise ValueError(f"camera {self.camera}: frames and their sets have to rise")
        object.__setattr__(self, "views", tuple(self.views))
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "sets", sets)
        object.__setattr__(self, "time_s", time_s)
        object.__setattr__(self, "looked_at", max(self.looked_at, len(frames)))

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, keep: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the frames of a mask or of rising indices."""
        index = np.flatnonzero(keep) if np.asarray(keep).dtype == bool else np.asarray(keep, dtype=np.intp)
        return replace(
            self,
            frames=self.frames[index],
            views=tuple(self.views[i] for i in index),
            sets=self.sets[index],
            time_s=self.time_s[index],
        )


class Shots(NamedTuple):
    """What `calibrate_rig` wants.

    Attributes:
        shots: for each shot, what each camera saw, by camera name.
        boards: the board of each shot.
        sets: (S,) the frame set of each shot; the first one where a standing board was averaged over several.
    """

    shots: list[dict[str, BoardView]]
    boards: list[Board]
    sets: NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class BoardFootage:
    """All boards that all cameras saw in one recording.

    Attributes:
        cameras: one entry for each camera and board; a camera that never saw a board has one without frames.
        boards: the boards that were looked for.
        fps: frame sets in a second; NaN for pictures that were not taken at a steady rate.
        source: the recording, as the user gave it.
    """

    cameras: tuple[CameraBoards, ...]
    boards: tuple[Board, ...]
    fps: float = float("nan")
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "cameras", tuple(self.cameras))
        object.__setattr__(self, "boards", tuple(self.boards))
        known: dict[str, tuple[int, int]] = {}
        for one in self.cameras:
            if not 0 <= one.board < len(self.boards):
                raise ValueError(f"camera {one.camera}: board {one.board} is none of the {len(self.boards)} boards")
            if known.setdefault(one.camera, one.size_wh) != one.size_wh:
                raise ValueError(f"camera {one.camera}: two image sizes, {known[one.camera]} and {one.size_wh}")
        pairs = [(one.camera, one.board) for one in self.cameras]
        if len(set(pairs)) != len(pairs):
            raise ValueError("a camera has two entries for one board")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the cameras' names, in order."""
        return tuple(dict.fromkeys(one.camera for one in self.cameras))

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return each camera's image size (width, height), px."""
        return {one.camera: one.size_wh for one in self.cameras}

    @property
    def n_sets(self) -> int:
        """Return the number of frame sets up to the last one in which a board was seen."""
        return 1 + max((int(one.sets[-1]) for one in self.cameras if len(one)), default=-1)

    def of(self, camera: str, board: int = 0) -> CameraBoards:
        """Return where one camera saw one board.

        Raises:
            InputError: there is no such camera.
        """
        if camera not in self.sizes:
            raise InputError(f"no camera {camera!r} in {self.source or 'the footage'}; it has {', '.join(self.names)}")
        for one in self.cameras:
            if (one.camera, one.board) == (camera, board):
                return one
        return CameraBoards(
            camera=camera, size_wh=self.sizes[camera], frames=np.zeros(0, np.int64), views=(), board=board
        )

    def views(self, camera: str, board: int = 0) -> list[BoardView]:
        """Return one camera's views of one board, as `calibrate_intrinsics` wants them."""
        return list(self.of(camera, board).views)

    def shots(self) -> Shots:
        """Return the shots, in order of time and then of the boards; those of a single camera are among them."""
        table: dict[tuple[int, int], dict[str, BoardView]] = {}
        for one in self.cameras:
            for moment, view in zip(one.sets.tolist(), one.views, strict=True):
                if len(view.ids):
                    table.setdefault((moment, one.board), {})[one.camera] = view
        keys = sorted(table)
        order = {name: i for i, name in enumerate(self.names)}
        return Shots(
            [dict(sorted(table[key].items(), key=lambda item: order[item[0]])) for key in keys],
            [self.boards[board] for _, board in keys],
            np.array([moment for moment, _ in keys], dtype=np.int64),
        )

    def per_board(self) -> Iterator[list[CameraBoards]]:
        """Yield, for each board, where all cameras saw it; cameras in the order of `names`."""
        for board in range(len(self.boards)):
            yield [self.of(name, board) for name in self.names]
