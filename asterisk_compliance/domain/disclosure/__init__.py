"""What people can hear and read about recording: words of prompts, and the published page.

The rules check that a notice says each of its purposes, and what the page must state. The files
of the page are made and compared in ``app/disclosure``. May import ``purposes``, ``audit`` and
``recording``.
"""
