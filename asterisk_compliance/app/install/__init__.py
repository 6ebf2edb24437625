"""Installing beside a local Asterisk, and taking it back."""
