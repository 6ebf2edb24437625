"""What programs of others may use, exported by ``asterisk_compliance`` itself.

``docs/developers.md`` explains it and states what stays compatible. Everything else in the
package may change. May import ``app`` and ``storage``.
"""
