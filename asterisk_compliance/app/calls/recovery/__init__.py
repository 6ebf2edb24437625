"""Going on after somebody was away."""
