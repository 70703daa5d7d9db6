"""Environments as words on the pull request: adapters of :class:`revieee.ports.Reporter`, and the words themselves."""
