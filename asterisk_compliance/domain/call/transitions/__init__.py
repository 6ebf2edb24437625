"""What each kind of event does to a call; ``machine.py`` chooses among them."""
