"""The options of triangulation, shared by `triskel triangulate`, `process` and `demo`: names, and what they become."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from triskel.errors import InputError

if TYPE_CHECKING:
    from triskel.triangulate import PeopleOptions

_OVER_TIME = "Over time"

PeopleOption = Annotated[
    int, typer.Option(help="People to keep, those the cameras agree on most; 0 for all that enough of them see.")
]
ReprojOption = Annotated[
    float | None,
    typer.Option("--max-reproj-px", help="Largest error of a view that is used; from the data by default."),
]
TriangulateDeviceOption = Annotated[
    str, typer.Option("--triangulate-on", help="cpu, or cuda for long recordings of many cameras.")
]
FilterOption = Annotated[
    str | None,
    typer.Option(
        "--filter",
        help="kalman (the default), butterworth, savitzky_golay, median, hampel, one_euro, or none. The unfiltered "
        "result is kept in keypoints3d_raw.parquet.",
        rich_help_panel=_OVER_TIME,
    ),
]
CutoffOption = Annotated[
    float | None,
    typer.Option(
        "--cutoff-hz",
        help="Of kalman, butterworth, one_euro: what moves faster is noise. By default 6 for butterworth, 2 for "
        "one_euro; kalman finds it in the data.",
        rich_help_panel=_OVER_TIME,
    ),
]
WindowOption = Annotated[
    float | None,
    typer.Option(
        "--window-s",
        help="Of savitzky_golay, median, hampel: time looked at; each has its own by default.",
        rich_help_panel=_OVER_TIME,
    ),
]
LongestGapOption = Annotated[
    float | None,
    typer.Option("--longest-gap", help="Gaps up to so many seconds are filled, and marked; 0: none. 0.2 by default.",
                 rich_help_panel=_OVER_TIME),
]  # fmt: skip
SwapsOption = Annotated[
    bool,
    typer.Option("--swaps/--no-swaps", help="Put left and right right where a camera, or all, exchanged them.",
                 rich_help_panel=_OVER_TIME),
]  # fmt: skip
OutliersOption = Annotated[
    bool,
    typer.Option("--outliers/--no-outliers", help="Drop joints that leave their own path and come back.",
                 rich_help_panel=_OVER_TIME),
]  # fmt: skip
BonesOption = Annotated[
    bool,
    typer.Option("--bones/--no-bones", help="Move joints so that each person's limbs keep their length.",
                 rich_help_panel=_OVER_TIME),
]  # fmt: skip
FeedbackOption = Annotated[
    bool,
    typer.Option("--feedback/--no-feedback", help="Look again where the first 3D says that a camera missed a person, "
                 "a hand or a face."),
]  # fmt: skip


def triangulation(
    *,
    people: int = 0,
    max_reproj_px: float | None = None,
    triangulate_on: str = "cpu",
    filter_: str | None = None,
    cutoff_hz: float | None = None,
    window_s: float | None = None,
    longest_gap_s: float | None = None,
    swaps: bool = True,
    outliers: bool = True,
    bones: bool = True,
) -> "PeopleOptions":
    """Build the options of triangulation from those of the command line.

    Raises:
        InputError: one of them makes no sense.
    """
    from triskel.triangulate import OverTimeOptions, PeopleOptions, TriangulateOptions
    from triskel.triangulate.over_time.filters import FILTERS

    if people < 0:
        raise InputError(f"--people is 0 (all) or more, got {people}")
    for name, value in (("--max-reproj-px", max_reproj_px), ("--cutoff-hz", cutoff_hz), ("--window-s", window_s)):
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{name} is positive, got {value:g}")
    if longest_gap_s is not None and not 0 <= longest_gap_s < math.inf:
        raise InputError(f"--longest-gap is 0 or more seconds, got {longest_gap_s:g}")
    defaults = OverTimeOptions()
    if filter_ is not None and filter_ not in (*FILTERS, "none"):
        raise InputError(f"--filter is {', '.join(FILTERS)} or none, got {filter_!r}")
    if triangulate_on != "cpu":
        from triskel.triangulate.torch_kernel import device_of

        device_of(triangulate_on)  # before anything is written
    over_time = OverTimeOptions(
        filter=defaults.filter if filter_ is None else filter_,
        cutoff_hz=cutoff_hz,
        window_s=window_s,
        longest_gap_s=defaults.longest_gap_s if longest_gap_s is None else longest_gap_s,
        repair_swaps=swaps,
        drop_outliers=outliers,
        bones=bones,
    )
    points = TriangulateOptions(max_reproj_px=max_reproj_px, device=triangulate_on)
    return PeopleOptions(most_people=people or None, points=points, over_time=over_time)
