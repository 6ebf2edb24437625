"""The wires to Asterisk: ARI, AMI and FastAGI.

They translate bytes into values and back, reconnect, and bound every wait. They know no rules and
hold no state of a call: that is ``app/calls``. A wire does not import another wire; what all share
(``backoff``, ``dispatch``) is here. May import ``ids`` and ``errors`` only.
"""
