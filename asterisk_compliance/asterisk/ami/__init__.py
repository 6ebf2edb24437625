"""AMI: the manager interface and its events."""
