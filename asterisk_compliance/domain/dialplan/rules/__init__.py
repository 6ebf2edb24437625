"""The rules of the dialplan checker, one module for each concern."""
