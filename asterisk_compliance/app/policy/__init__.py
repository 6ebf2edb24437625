"""From settings to the policies that hold for a call."""
