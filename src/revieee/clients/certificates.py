"""Whose certificates are believed: those of ``SSL_CERT_FILE``, where it is set, and httpx's own list else."""

import ssl
from functools import cache

import httpx


@cache
def authorities() -> ssl.SSLContext:
    """Give them; read once, which takes longer than most requests."""
    return httpx.create_ssl_context()
