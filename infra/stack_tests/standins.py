"""Replacements of official images, made from Debian, PyPI and npm packages without an image
registry.

They have the official names, so that Dockerfiles and compose files are tested without changes. They
exist only in the storage of `engine`.
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
    """The external images that a compose file and its Dockerfiles use.

    Services with a profile are not included.
    """
    services = [
        service
        for service in yaml.safe_load(compose.read_text())["services"].values()
        if not service.get("profiles")
    ]
    images = {service["image"] for service in services if "build" not in service}
    for dockerfile in {
        service["build"]["dockerfile"] for service in services if "build" in service
    }:
        images |= set(
            re.findall(r"\b[a-z.]+\.io/[\w./-]+:[\w.-]+", (REPOSITORY / dockerfile).read_text())
        )
    return {image for image in images if not image.startswith("localhost/")}


def kind(image: str) -> str:
    """Name of the replacement of an image: the last part of the image's name."""
    return image.rsplit("/", 1)[1].split(":")[0]


def missing(images: set[str]) -> set[str]:
    """Images without a replacement."""
    return {image for image in images if not (FOLDER / f"{kind(image)}.Dockerfile").is_file()}


def provide(engine: Engine, images: set[str]) -> None:
    """Build every replacement that does not exist, or whose Dockerfile has changed."""
    _base(engine)
    # Node's replacement is built on Python's, so it must be built last.
    for image in sorted(images - missing(images), key=lambda image: (kind(image) == "node", image)):
        dockerfile = FOLDER / f"{kind(image)}.Dockerfile"
        made_from = _digest(
            dockerfile.read_bytes(),
            *(file.read_bytes() for file in sorted(FOLDER.glob(f"{kind(image)}.*.sh"))),
        )
        if engine.label(image, LABEL) != made_from:
            engine.build(image, dockerfile, FOLDER, org_alarmstack_standin=made_from)


def _base(engine: Engine) -> None:
    """Build a minimal Debian image with the CA certificates of this machine."""
    certificates = Path("/", CERTIFICATES).read_bytes()
    made_from = _digest(SUITE.encode(), certificates)
    if engine.label(BASE, LABEL) == made_from:
        return
    with TemporaryDirectory() as folder:
        root, tar = Path(folder, "root"), Path(folder, "root.tar")
        _run("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root))
        (root / CERTIFICATES).write_bytes(certificates)
        _run("tar", "--directory", str(root), "--create", "--file", str(tar), ".")
        changes = [
            f"LABEL {LABEL}={made_from}",
            *(f"ENV {name}=/{CERTIFICATES}" for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")),
        ]
        engine.podman(
            "import", *(word for change in changes for word in ("--change", change)), str(tar), BASE
        )


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-1500:]}{done.stderr[-1500:]}"


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


__all__ = ["kind", "missing", "provide", "wanted"]
