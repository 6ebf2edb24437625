"""Rows on their way out: the JSON Lines file, followers, and positions of receivers.

Sending rows to a webhook is ``app/audit/webhooks``. May import ``log`` and ``durable_files``.
"""
