"""Requests of people, from opening to the answer."""
