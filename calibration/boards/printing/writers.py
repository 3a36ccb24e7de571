"""Pages written as PDF, SVG and PNG. The first two hold rectangles, so that any printer draws them exactly."""

import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards.board import PrintableBoard
from triskel.calibration.boards.printing.page import MARGIN_MM, Page, Text, lay_out
from triskel.errors import ConfigError
from triskel.files import atomic_path, write_text

POINTS_PER_MM = 72 / 25.4
LARGEST_PNG_PX = 20000


def write_board(
    board: PrintableBoard,
    path: str | Path,
    *,
    page_mm: tuple[float, float],
    dpi: float = 600,
    margin_mm: float = MARGIN_MM,
) -> Page:
    """Write a board to print at 100 %: a PDF, an SVG or a PNG, as the suffix says.

    Args:
        board: what to print.
        path: of the file; what stood there is replaced.
        page_mm: width and height of the paper.
        dpi: of a PNG, pixels per inch; the other two have none.
        margin_mm: what stays free on all sides.

    Returns:
        What is on the page, and where.

    Raises:
        ConfigError: the board is larger than the page, or the suffix is another.
    """
    path = Path(path)
    page = lay_out(board, page_mm=page_mm, margin_mm=margin_mm)
    match path.suffix.lower():
        case ".pdf":
            with atomic_path(path) as temporary:
                temporary.write_bytes(pdf_bytes(page))
        case ".svg":
            write_text(path, svg_text(page))
        case ".png":
            data = png_bytes(page, dpi=dpi)
            with atomic_path(path) as temporary:
                temporary.write_bytes(data)
        case _:
            raise ConfigError(f"{path}: a board is written as .pdf, .svg or .png")
    return page


def svg_text(page: Page) -> str:
    """Return the page as SVG, its unit the millimetre."""
    width, height = page.size_mm
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm"'
        f' viewBox="0 0 {width:g} {height:g}">',
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
    ]
    if page.background is not None:
        parts.append(_svg_path(np.array([page.background]), "#000"))
    parts.append(_svg_path(page.pattern, "#fff" if page.background is not None else "#000"))
    parts.append(_svg_path(page.ruler, "#000"))
    for text in page.texts:
        words = text.words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        parts.append(
            f'<text x="{text.x:.3f}" y="{text.y:.3f}" font-family="Helvetica, Arial, sans-serif"'
            f' font-size="{text.height / 0.72:.3f}">{words}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _svg_path(rectangles: NDArray[np.float64], fill: str) -> str:
    """Return rectangles as one path, so that no seams show between those that touch."""
    steps = " ".join(
        f"M{_short(x0)} {_short(y0)}H{_short(x1)}V{_short(y1)}H{_short(x0)}Z" for x0, y0, x1, y1 in rectangles.tolist()
    )
    return f'<path fill="{fill}" shape-rendering="geometricPrecision" d="{steps}"/>'


def pdf_bytes(page: Page) -> bytes:
    """Return the page as PDF 1.4: one page, one stream, the reader's own Helvetica."""
    width, height = (side * POINTS_PER_MM for side in page.size_mm)
    content = ["1 g", f"0 0 {_short(width)} {_short(height)} re f"]
    if page.background is not None:
        content += ["0 g", _pdf_path(np.array([page.background]), height), "1 g"]
    else:
        content += ["0 g"]
    content += [_pdf_path(page.pattern, height), "0 g", _pdf_path(page.ruler, height)]
    content += [_pdf_text(text, height) for text in page.texts]
    stream = zlib.compress("\n".join(content).encode("latin-1", "replace"))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_short(width)} {_short(height)}] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    starts = []
    for number, body in enumerate(objects, start=1):
        starts.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % start for start in starts)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def _pdf_path(rectangles: NDArray[np.float64], height: float) -> str:
    """Return rectangles as one filled path; y points up."""
    steps = [
        f"{_short(x0)} {_short(height - y1)} {_short(x1 - x0)} {_short(y1 - y0)} re"
        for x0, y0, x1, y1 in (rectangles * POINTS_PER_MM).tolist()
    ]
    return "\n".join([*steps, "f"])


def _pdf_text(text: Text, height: float) -> str:
    """Return a line of text; brackets and backslashes are the language's own."""
    words = text.words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    size = text.height / 0.72 * POINTS_PER_MM
    return (
        f"BT /F1 {_short(size)} Tf {_short(text.x * POINTS_PER_MM)} {_short(height - text.y * POINTS_PER_MM)} Td"
        f" ({words}) Tj ET"
    )


def _short(number: float) -> str:
    """Return a number with a precision far below what a printer has: 0.0001 mm or points."""
    return f"{number:.4f}".rstrip("0").rstrip(".")


def png_bytes(page: Page, *, dpi: float) -> bytes:
    """Return the page as PNG that says its resolution; a pixel that an edge crosses gets the mean of both sides.

    Raises:
        ConfigError: the picture would be absurdly small or large.
    """
    if not 50 <= dpi <= 4800 or max(page.size_mm) / 25.4 * dpi > LARGEST_PNG_PX:
        most = int(min(4800, LARGEST_PNG_PX * 25.4 / max(page.size_mm)))
        raise ConfigError(f"dpi is 50 to {most} for this page, got {dpi:g}; a PDF or SVG is exact at any size")
    scale = dpi / 25.4
    size = tuple(round(side * scale) for side in page.size_mm)
    ink = np.zeros(size[::-1], dtype=np.float32)
    if page.background is not None:
        _cover(ink, np.array([page.background]) * scale, 1.0)
    _cover(ink, page.pattern * scale, -1.0 if page.background is not None else 1.0)
    _cover(ink, page.ruler * scale, 1.0)
    grey = np.round(255 * (1 - np.clip(ink, 0, 1))).astype(np.uint8)
    for text in page.texts:
        _write(grey, text, scale)
    encoded, data = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    assert encoded
    return _with_resolution(data.tobytes(), dpi)


def _cover(ink: NDArray[np.float32], rectangles: NDArray[np.float64], amount: float) -> None:
    """Add to each pixel what share of it the rectangles (n, 4) px cover."""
    h, w = ink.shape
    for x0, y0, x1, y1 in rectangles.tolist():
        columns = slice(max(int(x0), 0), min(int(np.ceil(x1)), w))
        rows = slice(max(int(y0), 0), min(int(np.ceil(y1)), h))
        i, j = np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)
        across = np.clip(np.minimum(i + 1, x1) - np.maximum(i, x0), 0, 1)
        down = np.clip(np.minimum(j + 1, y1) - np.maximum(j, y0), 0, 1)
        ink[rows, columns] += np.float32(amount) * np.outer(down, across).astype(np.float32)


def _write(grey: NDArray[np.uint8], text: Text, scale: float) -> None:
    """Write a line of text into the picture, px per mm as `scale` says."""
    # The height of OpenCV's capitals at scale 1 is 21 px.
    size = text.height * scale / 21
    at = round(text.x * scale), round(text.y * scale)
    cv2.putText(grey, text.words, at, cv2.FONT_HERSHEY_SIMPLEX, size * 0.8, 0, max(1, round(1.6 * size)), cv2.LINE_AA)


def _with_resolution(png: bytes, dpi: float) -> bytes:
    """Return the PNG with its resolution (chunk pHYs, pixels per metre) after the header."""
    per_metre = round(dpi / 0.0254)
    chunk = b"pHYs" + per_metre.to_bytes(4, "big") * 2 + b"\x01"
    whole = (9).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    header = 8 + 25  # the signature, then IHDR: length, name, 13 bytes, check sum
    return png[:header] + whole + png[header:]
