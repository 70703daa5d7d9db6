"""The practice GitHub and clients of it."""

from support.practice import app_mode, client, clock, connected, practice, pull

__all__ = ["app_mode", "client", "clock", "connected", "practice", "pull"]
