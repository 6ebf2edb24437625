"""Incidents: the rows about one, its assessment and its reports."""
