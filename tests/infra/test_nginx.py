"""The reverse proxy of the full stack: a real nginx with the files of infra/nginx, in front of a
real gateway.
"""

import asyncio
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from alarmstack.core.plant import Plant
from alarmstack.services.gateway.access import COOKIE
from alarmstack.services.runtime.hosts import Hosts
from alarmstack.storage.database import journal
from tests.components import missing
from tests.conftest import REPOSITORY
from tests.object_store import free_ports
from tests.upstreams import serving
from tests.world import PASSWORD, World, world

pytestmark = pytest.mark.anyio
NGINX = REPOSITORY / "infra/nginx"
HSTS = "strict-transport-security"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A new certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        *subject,
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=60)
    return certificate, key


def installed(
    folder: Path,
    gateway: str,
    port: int,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
) -> list[str]:
    """Copy infra/nginx with the paths and addresses of this test; return the command that starts
    nginx with them.
    """
    if shutil.which("nginx") is None:
        missing("nginx", "`make system-deps` installs it")
    replacements = {
        "/etc/alarmstack": str(folder / "files"),
        "/tmp/": f"{folder}/tmp/",
        "/run/tls": str(folder / "tls"),
        "http://frontend-api:7501": gateway,
        "http://svelte-ui:5173": gateway,
        "listen 8088": f"listen 127.0.0.1:{port}",
    }
    for name in ("files", "tmp", "tls"):
        (folder / name).mkdir()
    for file in NGINX.iterdir():
        text = re.sub(
            "|".join(map(re.escape, replacements)),
            lambda match: replacements[match[0]],
            file.read_text(),
        )
        (folder / "files" / file.name).write_text(text)
    for source, name in ((certificate, "certificate.pem"), (key, "key.pem")):
        if source is None:
            (folder / "tls" / name).symlink_to("/dev/null")
        else:
            shutil.copy(source, folder / "tls" / name)
    return ["sh", str(folder / "files/start.sh"), "nginx.conf"]


@asynccontextmanager
async def proxied(
    plant: Plant, folder: Path, pair: tuple[Path, Path] | None
) -> AsyncIterator[tuple[World, int]]:
    """A gateway behind nginx, and the port of nginx. With a certificate, nginx uses TLS."""
    database = f"sqlite:///{folder}/a.db"
    async with (
        world(plant, database, trusted_proxies="localhost") as w,
        serving(Hosts(w.app, w.settings.hosts)) as url,
    ):
        (port,), (certificate, key) = free_ports(1), pair or (None, None)
        command = installed(folder, url, port, certificate=certificate, key=key)
        with (
            (folder / "nginx.log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as process,
        ):
            try:
                await _listening(port, process, folder / "nginx.log")
                yield w, port
            finally:
                process.terminate()


async def _listening(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    async with asyncio.timeout(20):
        while True:
            assert process.poll() is None, log.read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


def browser(certificate: Path | None, **options: object) -> httpx.AsyncClient:
    """An HTTP client at 127.0.0.2 that trusts this certificate."""
    context = ssl.create_default_context(cafile=certificate) if certificate else True
    transport = httpx.AsyncHTTPTransport(verify=context, local_address="127.0.0.2")
    return httpx.AsyncClient(transport=transport, timeout=20, **options)  # type: ignore[arg-type]


async def test_with_a_certificate_the_screen_is_served_by_tls_alone(
    plant: Plant, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    async with (
        proxied(plant, tmp_path, certificate) as (w, port),
        browser(certificate[0]) as client,
    ):
        page = f"https://localhost:{port}"
        for path in ("/api/health", "/api/auth/me", "/api/nothing", "/", "/nothing"):
            answer = await client.get(f"{page}{path}")
            assert answer.headers.get_list(HSTS) == ["max-age=31536000; includeSubDomains"], path
            assert "/" not in answer.headers.get("server", ""), "no version is shown"
        plain = await client.get(f"http://localhost:{port}/trends?tags=a")
        assert (plain.status_code, plain.headers["location"]) == (
            308,
            f"{page}/trends?tags=a",
        ) and HSTS not in plain.headers

        await w.person("anna")
        form = {"username": "anna", "password": PASSWORD}
        forged = {"Origin": page, "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http"}
        answer = await client.post(f"{page}/api/auth/login", data=form, headers=forged)
        cookies = answer.headers.get_list("set-cookie")
        assert answer.status_code == 200 and len(cookies) == 2
        async with w.state.database.begin() as session:
            (login, *_) = await journal.read(session)
        assert login.value == {"address": "127.0.0.2"}, (
            "the gateway uses the address from nginx, not the one that the client claims"
        )
        assert all("Secure" in cookie for cookie in cookies)
        assert (
            await client.post(f"{page}/api/auth/refresh", headers={"Origin": page})
        ).status_code == 200
        assert client.cookies.get(COOKIE)


async def test_old_versions_of_tls_are_refused(
    plant: Plant, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    async with proxied(plant, tmp_path, certificate) as (_, port):
        for version, allowed in (
            (ssl.TLSVersion.TLSv1_1, False),
            (ssl.TLSVersion.TLSv1_2, True),
            (ssl.TLSVersion.TLSv1_3, True),
        ):
            context = ssl.create_default_context(cafile=certificate[0])
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            try:
                _, writer = await asyncio.open_connection("localhost", port, ssl=context)
            except (ssl.SSLError, ConnectionError):
                assert not allowed, version
                continue
            assert allowed, version
            writer.close()


async def test_without_a_certificate_nginx_serves_http_without_hsts(
    plant: Plant, tmp_path: Path
) -> None:
    async with proxied(plant, tmp_path, None) as (_, port), browser(None) as client:
        answer = await client.get(f"http://localhost:{port}/api/health")
        assert answer.status_code == 200 and HSTS not in answer.headers


async def test_an_unknown_host_name_is_refused_behind_nginx(plant: Plant, tmp_path: Path) -> None:
    async with proxied(plant, tmp_path, None) as (_, port), browser(None) as client:
        answer = await client.get(
            f"http://localhost:{port}/api/health", headers={"Host": "evil.example"}
        )
        assert answer.status_code == 400 and "ALARMSTACK_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_nginx_does_not_start_with_a_certificate_or_key_alone(
    tmp_path: Path, certificate: tuple[Path, Path], missing: str
) -> None:
    files = {"certificate": certificate[0], "key": certificate[1]}
    del files[missing]
    done = subprocess.run(
        installed(tmp_path, "http://127.0.0.1:9", 9, **files),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1 and "belong together" in done.stderr
