"""Rows on their way out: JSON Lines, followers, positions of receivers."""
