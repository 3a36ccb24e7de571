import pytest

from triskel.errors import ConfigError
from triskel.triangulate.over_time import FILTERS, OverTimeOptions


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"filter": "gauss"}, "kalman, butterworth"),
        ({"longest_gap_s": -0.1}, "longest_gap_s is 0 or more"),
        ({"longest_gap_s": float("nan")}, "longest_gap_s is 0 or more"),
        ({"filter": "butterworth", "cutoff_hz": 0.0}, "cutoff_hz is 0.01 to 1000"),
        ({"filter": "butterworth", "window_s": 0.3}, "leave it out"),
        ({"filter": "median", "cutoff_hz": 5.0}, "leave it out"),
        ({"outlier_sigmas": float("nan")}, "outlier_sigmas is 0.1 to 1e"),
    ],
)
def test_settings_that_mean_nothing_are_refused_in_one_line(settings, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        OverTimeOptions(**settings)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", [*FILTERS, "none"])
def test_every_filter_has_defaults(name):
    assert OverTimeOptions(filter=name).filter == name
