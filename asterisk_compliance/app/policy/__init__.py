"""From the settings to the policies that hold for calls, with their prompts.

How a policy is resolved is decided in ``domain/policy``. May import ``shared``.
"""
