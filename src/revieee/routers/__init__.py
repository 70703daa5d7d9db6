"""Routes on their way to visitors: the adapters of :class:`revieee.ports.Router`."""
