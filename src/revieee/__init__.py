"""Revieee: review apps, in-house.

From a pull request to a running URL, and back. ``docs/architecture.md`` shows the way of the data.
"""

__version__ = "0.1.0"
