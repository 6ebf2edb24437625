"""What an operator should know, as findings: configuration, files, log."""
