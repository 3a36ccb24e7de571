"""Parsing XML that came from anywhere."""

import xml.etree.ElementTree as ET
from pathlib import Path

from triskel.calibration.formats.base import one_line, read_text
from triskel.errors import ConfigError


def parse_xml(path: Path) -> ET.Element:
    """Parse an XML file that declares no document type.

    A document type is where entities are declared, and no calibration needs one: refusing it shuts out both external
    entities and expansion bombs before the parser sees them.

    Raises:
        ConfigError: unreadable, not well-formed (cut short, say), or with a DOCTYPE or entity declaration.
    """
    text = read_text(path)
    if "<!doctype" in text.lower() or "<!entity" in text.lower():
        raise ConfigError(f"{path}: XML with a DOCTYPE or entity declarations is refused; remove them")
    try:
        return ET.fromstring(text.strip())  # noqa: S314 - entities cannot be declared, see above
    except (ET.ParseError, ValueError) as error:
        raise ConfigError(f"{path}: broken XML: {one_line(error)}") from error
