"""Commits as trees of files."""
