"""Comparing calls, rows and files with each other."""
