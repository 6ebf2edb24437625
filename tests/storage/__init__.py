"""Tests of the disk, with real SQLite databases and real files."""
