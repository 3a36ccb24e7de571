"""Network weights by name: published ones, fetched as data, and files that a user has."""

from triskel.detect2d.weights.published import WEIGHTS, Weights, find_weights, get_weights, load_weights
