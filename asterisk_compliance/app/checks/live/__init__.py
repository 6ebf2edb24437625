"""Findings for which Asterisk or the service is asked, or a call is placed."""
