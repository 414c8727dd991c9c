#!/usr/bin/env python3
"""`make init`: write infra/.env from infra/.env.example with random secrets; make the drop folder.

A line `NAME=` without a value is a secret. An existing env file is not changed, because existing
databases use its secrets. Only the standard library is needed.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from pathlib import Path

EMPTY = re.compile(r"^([A-Z][A-Z0-9_]*)=$", re.MULTILINE)


def secret(name: str) -> str:
    """A value of 256 random bits: in base64 for a Fernet key, otherwise in hexadecimal."""
    if name.endswith("FERNET_KEY"):
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)


def filled(template: str) -> str:
    """The template with a secret for every empty value."""
    return EMPTY.sub(lambda match: match[0] + secret(match[1]), template)


def main(folder: Path) -> str:
    """Write `.env` next to the template, readable only by its owner; return a message.

    Raises SystemExit if the file exists.
    """
    target = folder / ".env"
    (folder.parent / "data_drop").mkdir(exist_ok=True)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SystemExit(
            f"{target} exists and was not changed. To start again, remove it and the volumes."
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(filled((folder / ".env.example").read_text(encoding="utf-8")))
    return f"{target}: written with new secrets, readable only by you"


if __name__ == "__main__":
    print(main(Path(__file__).resolve().parent))
