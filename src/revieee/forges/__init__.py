"""Where pull requests live: adapters of :class:`revieee.ports.Forge`."""
