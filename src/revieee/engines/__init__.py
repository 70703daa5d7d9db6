"""Engines: where containers run. Each is a package of its own, an entry point and one pass of the contract suite."""
