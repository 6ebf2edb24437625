"""What people can read and hear about recording: words of prompts, the published page."""
