"""Findings: what each part of Revieee says of itself to ``revieee doctor``."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of ``revieee doctor``: what was looked at, what was found, how to mend it."""

    subject: str
    severity: Severity
    words: str
    mend: str = ""
