"""Images to People2D: the PAF network, its weights, and the parse of its maps."""
