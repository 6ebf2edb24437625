"""Our dialplan routines, rendered, and a site's dialplan, read.

Also here are the variables through which routine and service talk. The rules that judge a
dialplan are in ``domain/dialplan``, and their findings are shown by ``app/checks/dialplan``. May
import ``policy``, ``audit`` and ``shared``.
"""
