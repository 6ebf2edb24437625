"""A dialplan as values: parsed, walked along every path, and checked.

``checker.py`` is the entry. Reading files and asking Asterisk for its dialplan is in
``app/dialplan``, and rendering our routines is too. May import no other room of the domain but
``call``.
"""
