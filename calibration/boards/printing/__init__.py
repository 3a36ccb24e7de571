"""Boards on paper: laid out in millimetres, written as PDF, SVG and PNG."""

from triskel.calibration.boards.printing.page import PAGES_MM, Page, lay_out, page_size_mm, size_mm
from triskel.calibration.boards.printing.writers import pdf_bytes, png_bytes, svg_text, write_board

__all__ = [
    "PAGES_MM",
    "Page",
    "lay_out",
    "page_size_mm",
    "pdf_bytes",
    "png_bytes",
    "size_mm",
    "svg_text",
    "write_board",
]
