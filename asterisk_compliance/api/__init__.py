"""What programs of others may use, exported by ``asterisk_compliance`` itself.

``docs/developers.md`` shows it, and says what stays as it is.
"""
