"""Use of recordings: permission, release, hearing by telephone, and past calls.

Whether a use is permitted is decided in ``domain/access``. Answers to a person's request are in
``app/subject_requests``. May import ``calls``, ``retention`` and the rooms below these.
"""
