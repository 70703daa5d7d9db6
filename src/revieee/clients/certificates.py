"""Whose certificates are believed: those of ``SSL_CERT_FILE``, where it is set, and httpx's own list else."""

import ssl
from functools import cache

import httpx


@cache
def authorities() -> ssl.SSLContext:
    """Give them; read once, which takes longer than most requests.

    Raises:
        ValueError: what the environment names cannot be read.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # an `ssl.SSLError` is one
        words = f"The certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error}."
        raise ValueError(f"{words} Name a file of certificates in PEM format, or set neither.") from error
