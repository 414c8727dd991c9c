"""Which passwords are refused: those that an attacker tries first.

`common.txt.gz` lists the 20,000 most common passwords of published leaks, in lower case: Royce
Williams' selection from Pwned Passwords, as in Django 5.2
(`django/contrib/auth/common-passwords.txt.gz`, BSD licence in `LICENSE.django`). A short list is
enough because the number of attempts is limited. There are no composition rules: they make
passwords harder to remember, not harder to guess (NIST SP 800-63B, 5.1.1.2).
"""

from __future__ import annotations

import gzip
import re
from functools import cache
from pathlib import Path

from alarmstack.services.schemas.gateway import LONGEST_PASSWORD, SHORTEST_PASSWORD

FEWEST_DIFFERENT = 5
"""Different characters that a password must have: `abababababab` is easy to guess."""
NAMES = ("alarmstack",)
"""Words that everybody can read on the login page."""
_DECORATION = re.compile(r"^[\W\d_]+|[\W\d_]+$")
"""Digits and signs around a word: password crackers try these variants first."""


def weakness(username: str, password: str) -> str | None:
    """Why a password is refused, without the password itself; None for an acceptable one."""
    folded = password.casefold()
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        return f"it must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
    if len(set(folded)) < FEWEST_DIFFERENT:
        return f"it must have at least {FEWEST_DIFFERENT} different characters"
    if username.casefold() in folded:
        return "it contains the user name"
    core = _DECORATION.sub("", folded)
    if folded in common() or core in common() or core in NAMES:
        return "it is one of the most common passwords, or one with digits or signs added"
    return None


@cache
def common() -> frozenset[str]:
    """The most common passwords, in lower case."""
    with gzip.open(Path(__file__).parent / "common.txt.gz", "rt", encoding="utf-8") as listed:
        return frozenset(line.strip() for line in listed) - {""}


__all__ = ["weakness"]
