"""Disposal, legal holds, and the erasure of persons."""
