"""The commands ``asterisk-compliance provisions``.

Records of provision and of receipt: arguments are read here, and results are printed. The work is
done by ``app/third_parties``. May import ``app``, ``storage``, ``config``, ``domain`` and other
modules of ``cli``.
"""
