"""Stand-ins for official images, made from Debian, PyPI and npm packages where no registry of
images can be reached.

They carry the official names, so that Dockerfiles and compose files are used as they are; they
never leave the walk's own storage.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from stack_tests import REPOSITORY
from stack_tests.engine import Engine

FOLDER = Path(__file__).parent / "standins"
SUITE = "bookworm"
BASE = "localhost/alarmstack/standin:bookworm"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
LABEL = "org.alarmstack.standin"


def wanted(compose: Path) -> set[str]:
    """The images of others that a compose file (its profiles left out) and the Dockerfiles it
    builds from name.
    """
    services = [
        one
        for one in yaml.safe_load(compose.read_text())["services"].values()
        if not one.get("profiles")
    ]
    found = {service["image"] for service in services if "build" not in service}
    for dockerfile in {
        service["build"]["dockerfile"] for service in services if "build" in service
    }:
        found |= set(
            re.findall(r"\b[a-z.]+\.io/[\w./-]+:[\w.-]+", (REPOSITORY / dockerfile).read_text())
        )
    return {image for image in found if not image.startswith("localhost/")}


def kind(image: str) -> str:
    """Which stand-in is for an image: the last part of its name."""
    return image.rsplit("/", 1)[1].split(":")[0]


def missing(images: set[str]) -> set[str]:
    """Images that nothing here can stand in for."""
    return {image for image in images if not (FOLDER / f"{kind(image)}.Dockerfile").is_file()}


def provide(engine: Engine, images: set[str]) -> None:
    """Make every stand-in that is not there as its Dockerfile says now."""
    _base(engine)
    # Node comes from PyPI: its stand-in begins with Python's.
    for image in sorted(images - missing(images), key=lambda one: (kind(one) == "node", one)):
        dockerfile = FOLDER / f"{kind(image)}.Dockerfile"
        made_from = _digest(
            dockerfile.read_bytes(),
            *(file.read_bytes() for file in sorted(FOLDER.glob(f"{kind(image)}.*.sh"))),
        )
        if engine.label(image, LABEL) != made_from:
            engine.build(image, dockerfile, FOLDER, org_alarmstack_standin=made_from)


def _base(engine: Engine) -> None:
    """A small Debian that trusts whom this machine trusts."""
    certificates = Path("/", CERTIFICATES).read_bytes()
    made_from = _digest(SUITE.encode(), certificates)
    if engine.label(BASE, LABEL) == made_from:
        return
    with TemporaryDirectory() as folder:
        root, tar = Path(folder, "root"), Path(folder, "root.tar")
        _run("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root))
        (root / CERTIFICATES).write_bytes(certificates)
        _run("tar", "--directory", str(root), "--create", "--file", str(tar), ".")
        told = [
            f"LABEL {LABEL}={made_from}",
            *(f"ENV {name}=/{CERTIFICATES}" for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")),
        ]
        engine.podman(
            "import", *(word for one in told for word in ("--change", one)), str(tar), BASE
        )


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-1500:]}{done.stderr[-1500:]}"


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


__all__ = ["kind", "missing", "provide", "wanted"]
