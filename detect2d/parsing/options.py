"""What the parse can be told: thresholds, and which of the paper's structures puts people together."""

from dataclasses import dataclass
from typing import Literal, get_args

from triskel.errors import ConfigError

Method = Literal["greedy", "bipartite", "integer", "integer_tree"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True, kw_only=True)
class ParseOptions:
    """Thresholds and method of the parse; the defaults are the published ones.

    A person's sum is that of its parts' confidences and of its limbs' affinities; `least_score` is compared with sum /
    parts, while the score handed out, `People2D.scores`, is sum / (parts + limbs), which stays within [0, 1].

    Attributes:
        peak_threshold: least confidence of a part candidate.
        sample_threshold: least affinity of a good sample on a limb.
        good_share: a limb needs more than this share of good samples.
        fewest_parts: a person has at least this many parts, not counting those the layout leaves out (feet).
        least_score: a person's sum / parts is at least this.
        most_people: people kept in an image, the best ones; None for all.
        method: how candidates become people. `greedy`: all limbs in one order, redundant ones included (section 3.5
            and Fig. 7 of the paper). `bipartite`: each limb of the tree matched by itself (Fig. 6d). `integer`: all
            limbs of the layout in one integer programme (Fig. 6b). `integer_tree`: the tree in one (Fig. 6c).
        time_limit_s: how long an integer programme may take for an image; then the best people so far are returned.
    """

    peak_threshold: float = 0.05
    sample_threshold: float = 0.05
    good_share: float = 0.95
    fewest_parts: int = 3
    least_score: float = 0.4
    most_people: int | None = None
    method: Method = "greedy"
    time_limit_s: float = 60.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"parse: method is one of {', '.join(METHODS)}, got {self.method!r}")
        shares = (self.peak_threshold, self.sample_threshold, self.good_share, self.least_score / 2)
        if not all(0 <= share <= 1 for share in shares):
            got = f"{self.peak_threshold}, {self.sample_threshold}, {self.good_share}, {self.least_score}"
            raise ConfigError(
                f"parse: peak_threshold, sample_threshold and good_share are 0 to 1, least_score 0 to 2, got {got}"
            )
        if self.fewest_parts < 1 or (self.most_people is not None and self.most_people < 1):
            raise ConfigError(f"parse: people are counted from 1, got {self.fewest_parts} and {self.most_people}")
        if not self.time_limit_s > 0:
            raise ConfigError(f"parse: time_limit_s is positive, got {self.time_limit_s}")


MAXIMISE_POSITIVES = ParseOptions(
    peak_threshold=0.02, sample_threshold=0.01, good_share=0.75, fewest_parts=2, least_score=0.05
)
"""Find more, and more that is wrong: the seed system's thresholds for that wish."""
