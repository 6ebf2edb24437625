"""AMI: its events as values, its protocol, and the client that holds the connection.

The service uses AMI to follow calls and MixMonitor, with write access for ``call`` only. Imports
neither ``asterisk/ari`` nor ``asterisk/agi``.
"""
