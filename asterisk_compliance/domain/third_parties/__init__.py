"""What was handed to third parties, and what they provided to us."""
