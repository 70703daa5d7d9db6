"""What an engine says of an image that it could not pull: whether trying again is pointless; pure.

Registries have outages, so everything passes but what they, or the engine, say for good. The wordings are those of
Docker 20.10 to 28 and of the BuildKit in it (moby's ``distribution``, containerd's ``remotes/docker``): few come with a
status of their own, most as text around the registry's.
"""

import re

from revieee.clients.wording import own

_STATUS = re.compile(r"(?:: |\bHTTP |\bstatus )([45]\d\d)\b")
"""``received unexpected HTTP status: 503 Service Unavailable``, ``error parsing HTTP 404 response body``, …"""
_PASSING = frozenset({408, 425, 429})
_CLIENT, _SERVER = 400, 500
_FINAL = re.compile(
    r": not found\b|^(?:manifest|repository|image) .*\bnot found\b|\b(?:manifest|name|blob) unknown\b|\bunknown blob\b"
    r"|(?<!permission )\bdenied\b|\bunauthorized\b|\bforbidden\b|no basic auth credentials|insufficient_scope"
    r"|\binvalid (?:reference format|repository name|tag)|is a reserved name"
    r"|no match(?:ing manifest)? for|cannot be used on this platform|operating system is not supported"
    r"|encountered remote|unsupported (?:media type|manifest)|\bschema 1\b",
    re.IGNORECASE,
)


def pointless(words: str, status: int = _SERVER) -> bool:
    """Tell whether pulling an image again would end alike: there is none, it may not be had, it is for other machines.

    Args:
        words: the engine's.
        status: of HTTP, that the engine gave them with; it says 500 of most things.
    """
    words = own(words)
    told = _STATUS.search(words)
    for one in (status, int(told[1]) if told else _SERVER):
        if one in _PASSING:
            return False
        if _CLIENT <= one < _SERVER:
            return True
    return told is None and bool(_FINAL.search(words))
