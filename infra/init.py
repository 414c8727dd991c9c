#!/usr/bin/env python3
"""`make init`: infra/.env from infra/.env.example, with a random value for every secret; and the
drop folder.

A line `NAME=` with nothing after it is a secret. An env file that is there already is left alone:
its secrets are those that the databases were made with. Only the standard library is needed.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from pathlib import Path

EMPTY = re.compile(r"^([A-Z][A-Z0-9_]*)=$")


def secret(name: str) -> str:
    """A value of 256 random bits; Fernet wants them in base64."""
    if name.endswith("FERNET_KEY"):
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)


def filled(template: str) -> str:
    """The template with its empty values filled."""
    lines = template.splitlines()
    return (
        "\n".join(
            f"{line}{secret(found[1])}" if (found := EMPTY.match(line)) else line for line in lines
        )
        + "\n"
    )


def main(folder: Path) -> str:
    """Write `.env` beside the template, for its owner alone; what was done, in a line."""
    target = folder / ".env"
    (folder.parent / "data_drop").mkdir(exist_ok=True)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SystemExit(
            f"{target} is there already and stays as it is: remove it first to begin anew (and the volumes with it)"
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(filled((folder / ".env.example").read_text(encoding="utf-8")))
    return f"{target}: written, with new secrets, for you alone to read"


if __name__ == "__main__":
    print(main(Path(__file__).resolve().parent))
