"""Speaks ARI, AMI and FastAGI; knows no rules and keeps no state of a call."""
