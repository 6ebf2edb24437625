"""What each kind of event does to a call, one module for each concern.

Only ``machine.py`` and ``recovery.py`` of ``domain/call`` choose a transition, and an import
contract holds that. The values that transitions change are in ``domain/call``.
"""
