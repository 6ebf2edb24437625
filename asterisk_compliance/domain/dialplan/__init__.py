"""A dialplan as values: read, walked, and checked."""
