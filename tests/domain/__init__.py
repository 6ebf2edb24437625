"""Tests of the rules: pure values, no clock and no disk."""
