"""Tests of the shell, with real stores and files, and wires that a test controls."""
