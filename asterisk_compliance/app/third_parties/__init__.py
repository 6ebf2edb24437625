"""Records of what was handed to third parties, and received from them."""
