"""ARI: the REST interface and its events."""
