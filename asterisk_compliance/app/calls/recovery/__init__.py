"""What happens to calls after the service, Asterisk or a connection was away.

Calls are resumed, recordings of the dialplan's fallback are adopted, and gaps become rows. The
rules for that are in ``domain/call/recovery``. Modules here see the node through the protocols of
``app/calls`` and never import the node itself.
"""
