"""Podman with a storage, networks and settings of its own: nothing that is made here is seen by, or
taken for, anything else.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stack_tests import REPOSITORY

CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""
"""No systemd is needed: neither for control groups nor for events."""


@dataclass(frozen=True)
class Engine:
    """Runs podman and podman-compose; `folder` holds images from one walk to the next."""

    folder: Path

    @classmethod
    def ready(cls) -> Engine:
        """The engine of this account, ready to run (ALARMSTACK_CONTAINERS names another folder)."""
        folder = Path(
            os.environ.get("ALARMSTACK_CONTAINERS", Path.home() / ".cache/alarmstack/containers")
        ).resolve()
        (folder / "networks").mkdir(parents=True, exist_ok=True)
        (folder / "containers.conf").write_text(CONTAINERS_CONF.format(folder=folder))
        (folder / "storage.conf").write_text(STORAGE_CONF.format(folder=folder))
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        """The caller's environment with our settings; images carry their health checks (docker's
        format).
        """
        return os.environ | {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "BUILDAH_FORMAT": "docker",
        }

    def podman(self, *words: str, check: bool = True) -> str:
        """What a command prints; with `check`, an AssertionError that shows what it complained of
        where it fails.
        """
        done = subprocess.run(
            ["podman", *words], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, f"podman {' '.join(words)}: {done.stderr[-3000:]}"
        return done.stdout

    def succeeds(self, *words: str) -> bool:
        """Whether a command ends well."""
        return (
            subprocess.run(
                ["podman", *words], env=self.environment, capture_output=True, check=False
            ).returncode
            == 0
        )

    def build(self, tag: str, dockerfile: Path, context: Path, **labels: str) -> None:
        """Build an image; builds use the host's network, as podman-compose's do here."""
        told = [
            word
            for name, value in labels.items()
            for word in ("--label", f"{name.replace('_', '.')}={value}")
        ]
        self.podman(
            "build", "--network=host", "--tag", tag, "--file", str(dockerfile), *told, str(context)
        )

    def label(self, image: str, name: str) -> str | None:
        """A label of an image; None where either is missing."""
        if not self.succeeds("image", "exists", image):
            return None
        return self.podman(
            "image", "inspect", "--format", f'{{{{index .Labels "{name}"}}}}', image
        ).strip()

    def compose(self, file: Path, *words: str, told: dict[str, str]) -> str:
        """What podman-compose prints on a compose file with these variables; AssertionError with
        its complaint where it fails.
        """
        command = ["podman-compose", "--podman-build-args=--network=host", "-f", str(file), *words]
        told = self.environment | told
        done = subprocess.run(
            command, env=told, cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (
            f"podman-compose {' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout


__all__ = ["Engine"]
