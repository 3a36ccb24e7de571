"""Segments and points as one triangle mesh of constant topology, recomputed without loops for each frame."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.viewer.scene import Balls, Lines

HIDDEN_M = -1e3
"""Where the vertices of missing parts collapse to one point: far below the ground, no triangle has an area."""


class Mesh(NamedTuple):
    """A triangle mesh: `vertices` (V, 3) m, `normals` (V, 3), `colours` (V, 3) in [0, 1], `triangles` (T, 3)."""

    vertices: NDArray[np.float64]
    normals: NDArray[np.float64]
    colours: NDArray[np.float64]
    triangles: NDArray[np.int32]


def join(*parts: Mesh) -> Mesh:
    """Return several meshes as one."""
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    triangles = np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=True)])
    vertices, normals, colours = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return Mesh(vertices, normals, colours, triangles.astype(np.int32))


def tubes(lines: Lines, *, sides: int = 12) -> Mesh:
    """Return open tubes of `sides` faces; their ends are meant to be covered by balls or too thin to see."""
    S = len(lines.ends)
    start, end = lines.ends[:, 0], lines.ends[:, 1]
    along = end - start
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    along = along / np.where(length > 0, length, 1)
    # Any vector that is not parallel will do; the world axis that the tube leans on least never is.
    helper = np.eye(3)[np.argmin(np.abs(np.nan_to_num(along)), axis=-1)]
    across = np.cross(along, helper)
    norm = np.linalg.norm(across, axis=-1, keepdims=True)
    across = across / np.where(norm > 0, norm, 1)
    third = np.cross(along, across)
    angle = 2 * np.pi * np.arange(sides) / sides
    normals = np.cos(angle)[:, None] * across[:, None] + np.sin(angle)[:, None] * third[:, None]
    rings = lines.radius[:, None, None] * normals
    vertices = np.stack([start[:, None] + rings, end[:, None] + rings], axis=1)
    i, j = np.arange(sides), (np.arange(sides) + 1) % sides
    one = np.concatenate([np.c_[i, j, sides + i], np.c_[j, sides + j, sides + i]])
    return _mesh(vertices, np.stack([normals, normals], axis=1), lines.colours, one, S)


def spheres(balls: Balls, *, rings: int = 8, sides: int = 12) -> Mesh:
    """Return a sphere for each point."""
    polar = np.pi * np.arange(rings + 1) / rings
    around = 2 * np.pi * np.arange(sides) / sides
    unit = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(around),
            np.sin(polar)[:, None] * np.sin(around),
            np.repeat(np.cos(polar)[:, None], sides, axis=1),
        ],
        axis=-1,
    ).reshape(-1, 3)
    r, s = (grid.ravel() for grid in np.meshgrid(np.arange(rings), np.arange(sides), indexing="ij"))
    a, b = r * sides + s, r * sides + (s + 1) % sides
    one = np.concatenate([np.c_[a, a + sides, b], np.c_[b, a + sides, b + sides]])
    vertices = balls.centres[:, None] + balls.radius[:, None, None] * unit
    return _mesh(vertices, np.broadcast_to(unit, vertices.shape), balls.colours, one, len(balls.centres))


def shadow(mesh: Mesh, colour: tuple[float, float, float], *, height_m: float = 0.004) -> Mesh:
    """Return the mesh pressed onto the ground straight from above, in one colour."""
    visible = mesh.vertices[:, 2] > HIDDEN_M / 2
    vertices = mesh.vertices.copy()
    vertices[visible, 2] = height_m
    normals = np.tile([0.0, 0.0, 1.0], (len(vertices), 1))
    return Mesh(vertices, normals, np.tile(colour, (len(vertices), 1)), mesh.triangles)


def _mesh(
    vertices: NDArray[np.float64],
    normals: NDArray[np.float64],
    colours: NDArray[np.float64],
    one: NDArray[np.int64],
    count: int,
) -> Mesh:
    """Repeat the triangles of `one` part `count` times and hide the parts that have a NaN."""
    vertices = vertices.reshape(count, -1, 3) if count else np.zeros((0, one.max() + 1, 3))
    per_part = vertices.shape[1]
    hidden = np.asarray(~np.isfinite(vertices).all(axis=(1, 2)))
    vertices = np.where(hidden[:, None, None], HIDDEN_M, vertices)
    normals = np.where(hidden[:, None, None], (0.0, 0.0, 1.0), normals.reshape(vertices.shape))
    triangles = one[None] + per_part * np.arange(count)[:, None, None]
    return Mesh(
        vertices.reshape(-1, 3),
        normals.reshape(-1, 3),
        np.repeat(colours, per_part, axis=0),
        triangles.reshape(-1, 3).astype(np.int32),
    )
