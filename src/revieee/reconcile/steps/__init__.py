"""The acts, one file each. Each is idempotent: begun again after a crash, it comes to the same."""
