"""Malformed input for every parser of bytes from outside, and inputs that failed before."""
