"""What Revieee knows, as values and pure functions.

No I/O, no clock: time is an argument, files are read through :class:`revieee.model.tree.Tree`.
"""
