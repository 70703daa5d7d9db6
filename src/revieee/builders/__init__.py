"""Trees as images."""
