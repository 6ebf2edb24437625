"""Small tools that any capability may use."""
