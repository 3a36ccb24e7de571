"""What the documents show in code is true: every Python block of CONVENTIONS.md runs by itself."""

import re
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).resolve().parents[1] / "CONVENTIONS.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks():
    """Each block's source, moved down to its own line so that a failure names the line of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        lines_above = text.count("\n", 0, match.start(1))
        yield pytest.param("\n" * lines_above + match[1], id=f"line_{lines_above + 1}")


@pytest.mark.parametrize("source", list(blocks()))
def test_each_block_of_the_conventions_holds(source):
    assert "assert" in source
    exec(compile(source, str(DOCUMENT), "exec"), {"__name__": "conventions"})


def test_no_block_of_the_conventions_is_overlooked():
    assert len(list(blocks())) == DOCUMENT.read_text(encoding="utf-8").count("```python") >= 5


def test_every_document_that_is_named_exists():
    root = DOCUMENT.parent
    texts = [path for folder in ("triskel", "detect2d") for path in (root / folder).rglob("*.py")]
    named = {
        match for path in [*texts, *root.glob("*.md")] for match in re.findall(r"docs/[\w-]+\.\w+", path.read_text())
    }
    assert "docs/quality.md" in named
    assert [name for name in sorted(named) if not (root / name).is_file()] == []
