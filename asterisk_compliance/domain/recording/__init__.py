"""What a recording must be, what it is, and why it was interrupted.

The verdict on measured audio is here. Measuring, joining and sealing files is in
``storage/recordings``. Imports no other room of the domain but the shared values.
"""
