"""Tests of the public API, called as programs of others call it."""
