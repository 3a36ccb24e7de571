"""Joints of a data set by the names of a skeleton: `left_knee`, `LKnee` and `L_Knee` are one joint."""

import re
from collections.abc import Mapping, Sequence

from triskel.errors import ConfigError


def plain_name(joint: str) -> str:
    """Return a joint's name in one spelling: `left_big_toe`, `LBigToe` and `l_bigtoe` become `lbigtoe`."""
    plain = re.sub(r"[^a-z0-9]", "", joint.lower())
    for word, letter in (("left", "l"), ("right", "r")):
        if plain.startswith(word) and len(plain) > len(word):
            return letter + plain[len(word) :]
    return plain


def match_joints(
    joints: Sequence[str], names: Sequence[str], rename: Mapping[str, str] | None = None
) -> dict[int, int]:
    """Find the joints of a data set in a skeleton.

    Args:
        joints: the skeleton's joints.
        names: the data set's joints.
        rename: data set's name to skeleton's name, for those that spelling does not match (`upper_neck: Neck`). The
            empty string leaves a joint out.

    Returns:
        Index in `joints` to index in `names`, for those that both have.

    Raises:
        ConfigError: `rename` names a joint that is not there, or two joints of the data set mean one of the skeleton.
    """
    rename = dict(rename or {})
    for theirs, ours in rename.items():
        if theirs not in names:
            raise ConfigError(f"rename: the data set has no joint {theirs!r}; it has {', '.join(names)}")
        if ours and ours not in joints:
            raise ConfigError(f"rename: the skeleton has no joint {ours!r}; it has {', '.join(joints)}")
    index = {plain_name(joint): i for i, joint in enumerate(joints)}
    found: dict[int, int] = {}
    for i, name in enumerate(names):
        ours = rename.get(name, name)
        joint = index.get(plain_name(ours)) if ours else None
        if joint is None:
            continue
        if joint in found:
            raise ConfigError(f"joints {names[found[joint]]!r} and {name!r} both mean {joints[joint]!r}; use rename")
        found[joint] = i
    return found
