"""The command line: reads arguments, calls ``app``, prints tables or JSON.

There are no rules here. Commands that need one module are at the top, others in the folder of
their capability. May import every layer but ``api``.
"""
