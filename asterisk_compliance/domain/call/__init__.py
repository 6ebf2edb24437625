"""One call as a pure state machine: events in, commands and rows out."""
