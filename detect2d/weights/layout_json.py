"""A layout and its joint set as JSON, for the header of a network file."""

import json
from dataclasses import asdict
from typing import Any

from triskel.detect2d.layout import PafLayout
from triskel.skeleton import Skeleton


def layout_to_json(layout: PafLayout) -> str:
    """Return the whole layout as JSON; a file thus stands by itself, whatever later versions call a joint set."""
    return json.dumps(
        {
            "skeleton": asdict(layout.skeleton),
            "limbs": layout.limbs,
            "redundant": layout.redundant,
            "uncounted": layout.uncounted,
            "stride": layout.stride,
        }
    )


def layout_from_json(text: str) -> PafLayout:
    """Return the layout that `layout_to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is no such JSON, or describes no possible layout.
    """
    data = json.loads(text)
    one = data["skeleton"]
    skeleton = Skeleton(
        name=str(one["name"]),
        joints=tuple(map(str, one["joints"])),
        limbs=_pairs(one["limbs"]),
        flips=tuple(map(int, one["flips"])),
        colours=tuple((int(r), int(g), int(b)) for r, g, b in one["colours"]),
        sigmas=None if one["sigmas"] is None else tuple(map(float, one["sigmas"])),
        means=tuple((int(joint), tuple(map(int, others))) for joint, others in one["means"]),
        redundant=_pairs(one["redundant"]),
    )
    return PafLayout(
        skeleton,
        _pairs(data["limbs"]),
        _pairs(data["redundant"]),
        tuple(map(int, data["uncounted"])),
        int(data["stride"]),
    )


def _pairs(data: Any) -> tuple[tuple[int, int], ...]:  # noqa: ANN401 - parsed JSON
    return tuple((int(a), int(b)) for a, b in data)
