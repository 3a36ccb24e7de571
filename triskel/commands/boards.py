"""`triskel board`: calibration boards to print, and what is found of them in pictures."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triskel.commands.show import OUT, say, table
from triskel.errors import ConfigError, InputError

if TYPE_CHECKING:
    from triskel.calibration.boards import PrintableBoard

app = typer.Typer(no_args_is_help=True, help="Make a calibration board to print, or look for one in pictures.")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class Kind(StrEnum):
    """Kinds of boards that can be made."""

    charuco = "charuco"
    chessboard = "chessboard"
    aprilgrid = "aprilgrid"
    arucogrid = "arucogrid"


@app.command("make")
def make(
    *,
    out: Annotated[Path, typer.Option(help="File to print: .pdf, .svg or .png; BOARD.yaml is written beside it.")],
    kind: Annotated[
        Kind, typer.Option(help="charuco is right for most; docs/boards.md says when another is.")
    ] = Kind.charuco,
    squares: Annotated[
        str | None, typer.Option(help="Squares, or markers of a grid, across and down. [default: 9x6; grids 6x4]")
    ] = None,
    square_mm: Annotated[
        float | None, typer.Option(help="Side of a square, or step of a grid, mm. [default: the largest that fits]")
    ] = None,
    marker_mm: Annotated[float | None, typer.Option(help="Side of a marker, mm. [default: 3/4 of a square]")] = None,
    dictionary: Annotated[
        str | None, typer.Option(help="OpenCV's name of the markers. [default: DICT_4X4_250; aprilgrid 36h11]")
    ] = None,
    first_marker: Annotated[int, typer.Option(help="Number of the first marker; other boards take other ones.")] = 0,
    inverted: Annotated[bool, typer.Option("--inverted", help="White on black.")] = False,
    name: Annotated[str, typer.Option(help="Tells it from your other boards.")] = "board",
    page: Annotated[str, typer.Option(help="a4, a3, letter ... or WIDTHxHEIGHT in mm; turned if need be.")] = "a4",
    margin_mm: Annotated[float, typer.Option(help="What your printer leaves free.")] = 8.0,
    dpi: Annotated[float, typer.Option(help="Of a PNG.")] = 600.0,
) -> None:
    """Write a board at its exact size, with a ruler to check the print, and its description for the calibration."""
    from triskel.calibration.boards import save_boards
    from triskel.calibration.boards.printing import page_size_mm, size_mm, write_board

    page_mm = page_size_mm(page)
    counts = _counts(squares, kind)
    description = out.with_suffix(".yaml")
    wish = _Wish(
        kind=kind,
        counts=counts,
        marker_mm=marker_mm,
        dictionary=dictionary,
        first_marker=first_marker,
        inverted=inverted,
        name=name,
    )
    board = wish.board(square_mm) if square_mm is not None else _largest(wish, page_mm, margin_mm)
    written = write_board(board, out, page_mm=page_mm, dpi=dpi, margin_mm=margin_mm)
    save_boards([board], description)
    say(f"{out}: {board.describe()}; {size_mm(board)} on {written.size_mm[0]:g} x {written.size_mm[1]:g} mm")
    say(f"{description}: its description")
    say("Print it at 100 % (no 'fit to page'), glue it onto something flat, and measure the ruler.")


@app.command("show")
def show(
    board: Annotated[Path, typer.Argument(help="YAML of one board or several, or Caliscope's charuco.toml.")],
    images: Annotated[list[Path] | None, typer.Argument(help="Pictures, or folders of them.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the pictures with the corners drawn in.")] = None,
) -> None:
    """Say what boards a file describes, and what is seen of them in pictures."""
    import numpy as np

    from triskel.calibration.boards import load_boards
    from triskel.calibration.boards.drawing import draw_view
    from triskel.calibration.boards.printing import size_mm
    from triskel.images import read_image_bgr, write_image_bgr

    boards = load_boards(board)
    paths = _pictures(images or [])
    if out is not None and not paths:
        raise InputError(f"{out}: --out needs pictures to draw into; name some, or their folder")
    for one in boards:
        say(f"{one.describe()}; {size_mm(one)}, {len(one.corners)} corners")
    if not paths:
        return
    rows = table("picture", "size px", "board", "corners")
    names = _drawn_names(paths)
    for path, drawn in zip(paths, names, strict=True):
        image_rgb = np.ascontiguousarray(read_image_bgr(path)[..., ::-1])
        height, width = image_rgb.shape[:2]
        canvas = image_rgb
        for one in boards:
            view = one.detect(image_rgb)
            rows.add_row(path.name, f"{width} x {height}", one.name, f"{len(view.ids)} of {len(one.corners)}")
            canvas = draw_view(canvas, one, view)
        if out is not None:
            write_image_bgr(out / drawn, np.ascontiguousarray(canvas[..., ::-1]))
    OUT.print(rows)
    if out is not None:
        say(str(out))


def _counts(squares: str | None, kind: Kind) -> tuple[int, int]:
    """Return how many squares or markers there are across and down."""
    text = squares or ("9x6" if kind in (Kind.charuco, Kind.chessboard) else "6x4")
    try:
        across, down = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise ConfigError(f"--squares is two whole numbers such as 9x6, got {text!r}") from error
    return across, down


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """A board but for the size of its squares."""

    kind: Kind
    counts: tuple[int, int]
    marker_mm: float | None
    dictionary: str | None
    first_marker: int
    inverted: bool
    name: str

    def board(self, square_mm: float) -> "PrintableBoard":
        """Return the board with squares, or the step of a grid, of this size."""
        from triskel.calibration.boards import Charuco, Chessboard, MarkerGrid

        square_m = square_mm / 1000
        for option, value in (("--marker-mm", self.marker_mm), ("--square-mm", square_mm)):
            if value is not None and not 0 < value < inf:
                raise ConfigError(f"{option} is a positive number of mm, got {value:g}")
        # Rounded to half a millimetre, so that the description is one that people can read out.
        marker_mm = self.marker_mm if self.marker_mm is not None else max(round(1.5 * square_mm) / 2, 0.5)
        if self.kind is Kind.chessboard:
            if self.marker_mm is not None or self.dictionary is not None or self.first_marker:
                raise ConfigError("a chessboard has no markers; leave out --marker-mm, --dictionary and --first-marker")
            corners_xy = (self.counts[0] - 1, self.counts[1] - 1)
            return Chessboard(corners_xy=corners_xy, square_m=square_m, inverted=self.inverted, name=self.name)
        if self.kind is Kind.charuco:
            return Charuco(
                squares_xy=self.counts,
                square_m=square_m,
                marker_m=round(marker_mm / 1000, 7),
                dictionary=self.dictionary or "DICT_4X4_250",
                inverted=self.inverted,
                first_marker=self.first_marker,
                name=self.name,
            )
        usual = "DICT_APRILTAG_36h11" if self.kind is Kind.aprilgrid else "DICT_4X4_250"
        return MarkerGrid(
            markers_xy=self.counts,
            tag_m=round(marker_mm / 1000, 7),
            gap_m=round(square_m - marker_mm / 1000, 7),
            dictionary=self.dictionary or usual,
            inverted=self.inverted,
            first_marker=self.first_marker,
            name=self.name,
        )


def _largest(wish: _Wish, page_mm: tuple[float, float], margin_mm: float) -> "PrintableBoard":
    """Return the board with the largest squares, in whole mm, that fit on the page."""
    from triskel.calibration.boards.printing import lay_out

    if wish.marker_mm is not None:
        wish.board(wish.marker_mm + 1)  # what is no size is said before it is counted with
    smallest = 5 if wish.marker_mm is None else int(wish.marker_mm) + 1
    wish.board(smallest)  # what is wrong with the board at any size is said here
    for square_mm in range(int(max(page_mm)), smallest, -1):
        board = wish.board(square_mm)
        try:
            lay_out(board, page_mm=page_mm, margin_mm=margin_mm)
        except ConfigError:
            continue
        return board
    lay_out(wish.board(smallest), page_mm=page_mm, margin_mm=margin_mm)  # says what page would do
    return wish.board(smallest)


def _pictures(given: list[Path]) -> list[Path]:
    """Return the picture files that were named, and those in folders that were."""
    paths: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.suffix.lower() in PICTURES and one.is_file())
            if not inside:
                raise InputError(f"{path}: holds no pictures ({', '.join(PICTURES)})")
            paths += inside
        else:
            paths.append(path)
    return paths


def _drawn_names(paths: list[Path]) -> list[str]:
    """Return a file name for each picture drawn; pictures of one name from two folders get their folder's."""
    names = [path.stem for path in paths]
    full = [f"{path.parent.name}_{path.stem}" if names.count(path.stem) > 1 else path.stem for path in paths]
    return [f"{name}.png" if full.count(name) == 1 else f"{i:04d}_{name}.png" for i, name in enumerate(full)]
