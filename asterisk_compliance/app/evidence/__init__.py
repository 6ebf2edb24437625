"""Evidence about one call, and its export by open standards."""
