"""Faults put into a running service, and a checker that judges the evidence afterwards."""
