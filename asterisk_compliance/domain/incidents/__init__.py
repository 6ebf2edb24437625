"""Incidents: what could have been reached, and whom to notify until when."""
