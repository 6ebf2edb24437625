"""What is known of Asterisk itself: modules, versions, its own records of calls."""
