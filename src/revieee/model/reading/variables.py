"""The variables that Revieee gives: to the files while they are read, and to every service."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from revieee.model.manifest import Context
from revieee.model.names import service_label

URL_PREFIX = "REVIEEE_URL_"

NAMES = {
    "BRANCH": "the pull request's branch",
    "REVIEEE_URL": "the main service's URL",
    "REVIEEE_URL_<SERVICE>": "each exposed service's URL; the name in capitals, other characters as `_`",
    "REVIEEE_PR_NUMBER": "the pull request's number",
    "REVIEEE_REPOSITORY": "`owner/repository`",
    "REVIEEE_COMMIT": "the full hash of the commit",
    "REVIEEE_ENVIRONMENT": "`owner/repository#number`",
}
"""What the manifest page says of each."""


def hostnames(context: Context, services: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Give (service, DNS label) of the exposed services, the main one first."""
    labels: dict[str, str] = {}
    for service in services:
        if service not in labels:
            plain = context.environment_label
            labels[service] = service_label(service, plain) if labels else plain
    return tuple(labels.items())


def url(context: Context, label: str) -> str:
    """Give the URL of a label: the router's address with the label in front of its domain."""
    base = urlsplit(context.base_url)
    return f"{base.scheme}://{label}.{base.netloc}"


def injected(context: Context, services: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Give the environment variables that every service gets.

    Args:
        context: the environment.
        services: the exposed ones, the main one first.
    """
    urls = [(service, url(context, label)) for service, label in hostnames(context, services)]
    named: dict[str, str] = {}
    for service, address in urls:
        named.setdefault(url_name(service), address)
    return (
        ("BRANCH", context.branch),
        ("REVIEEE_URL", url(context, context.environment_label)),
        *named.items(),
        ("REVIEEE_PR_NUMBER", str(context.number)),
        ("REVIEEE_REPOSITORY", context.repository),
        ("REVIEEE_COMMIT", context.commit),
        ("REVIEEE_ENVIRONMENT", f"{context.repository}#{context.number}"),
    )


def url_name(service: str) -> str:
    """Name the variable that holds a service's URL."""
    return URL_PREFIX + re.sub(r"[^A-Z0-9]", "_", service.upper())
