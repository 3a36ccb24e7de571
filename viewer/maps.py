"""Confidence maps and part affinity fields as pictures: laid over the photograph, one tile a channel.

As in Fig. 1 of the paper, a field's direction is a hue and its strength the brightness; each sheet has its key.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Colour

Picture = NDArray[np.uint8]

TILE_PX, GAP_PX = 300, 8
"""Longer side of a tile, and the space between tiles."""

RATIO = 1.5
"""Width to height that a sheet aims at, near that of a screen."""

RIPPLE = 0.05
"""What a network says where there is nothing."""

PAPER, INK, FAINT = (17, 19, 24), (238, 240, 244), (150, 156, 168)
TEXT_PX, CAPTION_PX = 13, 21


def confidence_sheet(
    image_rgb: Picture, maps: NDArray[np.float32], names: Sequence[str], colours: Sequence[Colour]
) -> Picture:
    """Draw confidence maps over a dimmed copy of their image, on one sheet.

    Args:
        image_rgb: (H, W, 3).
        maps: (K, h, w) over the same content, values from 0 to 1.
        names: of the K maps.
        colours: of the first joints among the K maps, as many as are laid into the large tile, all at once.

    Returns:
        The sheet, RGB: a large tile with all of `colours`, then one tile a map.
    """
    size_wh = _tile_size(image_rgb)
    tiles = [_heat_tile(image_rgb, one, size_wh) for one in maps]
    hero_wh = _hero_size(size_wh)
    strength = np.stack([_stretched(one, hero_wh) for one in maps[: len(colours)]])
    best = strength.argmax(axis=0)
    hero = _blend(_dimmed(image_rgb, hero_wh), np.array(colours)[best], strength.max(axis=0))
    _heat_key(hero)
    return _sheet(hero, "all joints", tiles, names)


def affinity_sheet(image_rgb: Picture, fields: NDArray[np.float32], names: Sequence[str]) -> Picture:
    """Draw part affinity fields over a dimmed copy of their image, on one sheet.

    Args:
        image_rgb: (H, W, 3).
        fields: (L, 2, h, w) over the same content, vectors up to length 1.
        names: of the L limbs.

    Returns:
        The sheet, RGB: a large tile with all limbs, the strongest at each place, then one tile a limb.
    """
    size_wh = _tile_size(image_rgb)
    tiles = [_field_tile(image_rgb, one, size_wh) for one in fields]
    strongest = np.linalg.norm(fields, axis=1).argmax(axis=0)
    every = np.take_along_axis(fields, strongest[None, None], axis=0)[0]
    hero = _field_tile(image_rgb, every, _hero_size(size_wh))
    _direction_key(hero)
    return _sheet(hero, "all limbs", tiles, names)


def draw_text(image_rgb: Picture, text: str, xy: tuple[int, int], *, size_px: int, colour: Colour = INK) -> None:
    """Write one line in place, its left end and baseline at `xy`; what falls outside the image is cut off."""
    from matplotlib.ft2font import FT2Font

    font = FT2Font(_font_file())
    font.set_size(size_px, 72)
    font.set_text(text, 0)
    font.draw_glyphs_to_bitmap(antialiased=True)
    ink = np.asarray(font.get_image(), dtype=np.float64) / 255
    x, y = xy[0], xy[1] - ink.shape[0] + round(font.get_descent() / 64)
    top, left = max(y, 0), max(x, 0)
    ink = ink[top - y : max(image_rgb.shape[0] - y, 0), left - x : max(image_rgb.shape[1] - x, 0)]
    place = image_rgb[top : top + ink.shape[0], left : left + ink.shape[1]]
    place[:] = np.round(place + (np.array(colour) - place.astype(np.float64)) * ink[..., None]).astype(np.uint8)


@cache
def _font_file() -> str:
    """Return the typeface that comes with matplotlib: OpenCV's own letters are strokes."""
    import matplotlib as mpl

    return str(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")


def _tile_size(image_rgb: Picture) -> tuple[int, int]:
    H, W = image_rgb.shape[:2]
    scale = TILE_PX / max(H, W)
    return max(round(W * scale), 60), max(round(H * scale), 40)


def _hero_size(size_wh: tuple[int, int]) -> tuple[int, int]:
    """Return the size of the large tile: two tiles, and the space between them."""
    return 2 * size_wh[0] + GAP_PX, 2 * size_wh[1] + GAP_PX + CAPTION_PX


def _stretched(channel: NDArray[np.float32], size_wh: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(channel, size_wh, interpolation=cv2.INTER_CUBIC), np.float32)


def _dimmed(image_rgb: Picture, size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """Return the image in dark greys, so that colour means the map alone."""
    small = cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float64)
    return np.asarray(np.repeat((16 + 0.42 * grey)[..., None], 3, axis=-1))


def _blend(base: NDArray[np.float64], colour: NDArray[np.float64], strength: NDArray[np.float32]) -> Picture:
    """Lay a colour over a picture as densely as its map is strong; the ripple of an empty map stays invisible."""
    alpha = np.clip((strength - RIPPLE) / (1 - RIPPLE), 0, 1)[..., None] ** 0.75
    return np.asarray(np.round(base + alpha * (colour - base)).clip(0, 255), dtype=np.uint8)


def _heat(strength: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the colour of each strength from 0 to 1, dark to light."""
    # The dark end of the scale would look like a shadow in the photograph.
    level = np.round(255 * (0.35 + 0.65 * np.clip(strength, 0, 1))).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1], dtype=np.float64)


def _heat_tile(image_rgb: Picture, channel: NDArray[np.float32], size_wh: tuple[int, int]) -> Picture:
    strength = _stretched(channel, size_wh)
    return _blend(_dimmed(image_rgb, size_wh), _heat(strength), strength)


def direction_colours(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the colour (H, W, 3) of each direction (H, W): right red, down yellow-green, left cyan, up violet."""
    hue = (np.rad2deg(np.arctan2(y, x)) % 360 / 2).round().astype(np.uint8) % 180
    hsv = np.stack([hue, np.full_like(hue, 190), np.full_like(hue, 255)], axis=-1)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.float64)


def _field_tile(image_rgb: Picture, field: NDArray[np.float32], size_wh: tuple[int, int]) -> Picture:
    x, y = (_stretched(one, size_wh) for one in field)
    return _blend(_dimmed(image_rgb, size_wh), direction_colours(x, y), np.hypot(x, y))


def _heat_key(hero: Picture) -> None:
    """Draw the scale of the tiles into the lower right corner of the large tile, in place."""
    width, height, margin = 120, 8, 14
    if hero.shape[1] < width + 2 * margin:
        return
    y, x = hero.shape[0] - margin - height, hero.shape[1] - margin - width
    ramp = np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))
    hero[y : y + height, x : x + width] = _blend(np.full((height, width, 3), 40.0), _heat(ramp), ramp)
    for text, left in (("0", x), ("confidence", x + 28), ("1", x + width - 7)):
        draw_text(hero, text, (left, y - 5), size_px=TEXT_PX - 2)


def _direction_key(hero: Picture) -> None:
    """Draw the wheel of directions into the lower right corner of the large tile, in place."""
    radius, margin = 34, 14
    if min(hero.shape[:2]) < 2 * (radius + margin):
        return
    x, y = np.meshgrid(*[np.arange(-radius, radius + 1, dtype=np.float32)] * 2)
    r = np.hypot(x, y)
    bottom, right = hero.shape[0] - margin, hero.shape[1] - margin
    place = hero[bottom - 2 * radius - 1 : bottom, right - 2 * radius - 1 : right]
    wheel = _blend(np.full((*x.shape, 3), 24.0), direction_colours(x, y), np.float32(1 / radius) * r)
    edge = np.clip(radius - r + 0.5, 0, 1)[..., None]
    place[:] = np.round(place + edge * (wheel - place.astype(np.float64))).astype(np.uint8)
    draw_text(hero, "direction", (right - 2 * radius - 62, bottom - radius + 4), size_px=TEXT_PX - 2)


def _grid(count: int, width: int, height: int) -> tuple[int, int]:
    """Return the columns and rows for `count` tiles and the large one: near the ratio aimed at, few places empty."""
    grids = [(columns, max(-(-(count + 4) // columns), 2)) for columns in range(2, count + 4)]

    def badness(grid: tuple[int, int]) -> float:
        columns, rows = grid
        empty = columns * rows - count - 4
        return abs(float(np.log(columns * width / (rows * height) / RATIO))) + 3 * empty / (count + 4)

    return min(grids, key=badness)


def _sheet(hero: Picture, title: str, tiles: list[Picture], names: Sequence[str]) -> Picture:
    """Lay the large tile, as big as two by two others, into the upper left corner, and the others around it."""
    tile_h, tile_w = tiles[0].shape[:2]
    step_y, step_x = tile_h + CAPTION_PX + GAP_PX, tile_w + GAP_PX
    columns, rows = _grid(len(tiles), step_x, step_y)
    places = [(row, column) for row in range(rows) for column in range(columns) if row >= 2 or column >= 2]
    sheet = np.empty((GAP_PX + rows * step_y, GAP_PX + columns * step_x, 3), np.uint8)
    sheet[:] = PAPER
    placed = [(hero, title, (0, 0)), *zip(tiles, names, places[: len(tiles)], strict=True)]
    for tile, name, (row, column) in placed:
        y, x = GAP_PX + row * step_y, GAP_PX + column * step_x
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        draw_text(sheet, name, (x + 2, y + tile.shape[0] + TEXT_PX + 2), size_px=TEXT_PX)
    return sheet
