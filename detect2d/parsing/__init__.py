"""Network maps in, people out: peaks, limbs, and their assembly (sections 3.2 to 3.5 of the paper)."""

from triskel.detect2d.parsing.parse import ParseOptions, parse
