"""The supervisor with real processes: start, restart after a crash or a hang, stop,
ports in use.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest

from alarmstack.cli.supervisor import (
    ANSWER_SECONDS,
    CHECK_SECONDS,
    HUNG_AFTER,
    Service,
    Supervisor,
    check_ports,
    rotate,
)
from alarmstack.core.errors import ServiceError
from alarmstack.core.folder import claimed

SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def server(name: str) -> Service:
    port = free_port()
    return Service(
        name,
        [sys.executable, "-c", SERVER, str(port)],
        {port: "THE_PORT"},
        f"http://127.0.0.1:{port}/",
    )


def supervised(
    services: list[Service], logs: Path, events: Callable[[Supervisor], Coroutine[Any, Any, None]]
) -> list[str]:
    """Run services, run `events` when all are healthy, stop. Returns the lines of the
    supervisor.
    """
    lines: list[str] = []

    async def main() -> None:
        ready, stop = asyncio.Event(), asyncio.Event()
        supervisor = Supervisor(services, logs, lines.append)
        running = asyncio.create_task(supervisor.run(ready.set, stop))
        await asyncio.wait(
            [running, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        if ready.is_set():
            await events(supervisor)
        stop.set()
        await running

    asyncio.run(main())
    return lines


def test_a_service_that_exits_is_restarted_and_all_stop_together(tmp_path: Path) -> None:
    services = [server("one"), server("two")]
    pids: list[int] = []

    async def events(supervisor: Supervisor) -> None:
        first = supervisor.pid("two")
        os.kill(first, signal.SIGKILL)
        while supervisor.pid("two") == first:
            await asyncio.sleep(0)
        pids.extend([supervisor.pid("one"), supervisor.pid("two")])

    lines = supervised(services, tmp_path, events)
    assert any(
        line.startswith("two: ended with code -9") and "next attempt in" in line for line in lines
    )
    assert len(set(pids)) == 2 and not any(psutil.pid_exists(pid) for pid in pids)


def test_a_hung_service_is_killed_and_restarted_within_ten_seconds(tmp_path: Path) -> None:
    services = [server("one"), server("two")]
    waited: list[float] = []

    async def events(supervisor: Supervisor) -> None:
        first = supervisor.pid("two")
        async with asyncio.timeout(60):
            while "two" not in supervisor.answered:
                await asyncio.sleep(0.1)
        os.kill(first, signal.SIGSTOP)
        begin = monotonic()
        async with asyncio.timeout(60):
            while psutil.pid_exists(first):
                await asyncio.sleep(0.1)
        waited.append(monotonic() - begin)
        async with asyncio.timeout(60):
            while supervisor.pid("two") == first:
                await asyncio.sleep(0.1)

    lines = supervised(services, tmp_path, events)
    assert any(line.startswith("two: no answer for 7 s, killed") for line in lines)
    assert HUNG_AFTER + CHECK_SECONDS + ANSWER_SECONDS <= 10, (
        "the longest time until a hung service is detected"
    )
    assert waited[0] >= HUNG_AFTER - CHECK_SECONDS - ANSWER_SECONDS, (
        "one slow answer must not get a service killed"
    )


def test_a_service_that_hangs_during_a_restart_is_killed_and_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first start is healthy. Its second start never answers."""
    one, started = server("one"), tmp_path / "started"
    command = [
        sys.executable,
        "-c",
        "import pathlib, sys, threading\n"
        f"started = pathlib.Path({str(started)!r})\n"
        "if started.exists(): threading.Event().wait()\n"
        f"started.touch()\n{SERVER}",
        *one.command[-1:],
    ]

    async def events(supervisor: Supervisor) -> None:
        monkeypatch.setattr("alarmstack.cli.supervisor.HEALTHY_WITHIN", 1.0)
        pids = [supervisor.pid("one")]
        os.kill(pids[0], signal.SIGKILL)
        async with asyncio.timeout(15):
            while len(pids) < 3:
                await asyncio.sleep(0.1)
                if (pid := supervisor.pid("one")) != pids[-1]:
                    pids.append(pid)

    lines = supervised([replace(one, command=command)], tmp_path / "logs", events)
    assert any(
        line.startswith("one: not healthy within 1 s after its start, killed") for line in lines
    )


def test_a_full_log_is_rotated_and_its_writer_continues(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    with path.open("ab", buffering=0) as writer:
        for number in range(6):
            writer.write(f"{number}".encode() * 200)
            rotate(path, 100)
        writer.write(b"new")
    assert path.read_bytes() == b"new"
    assert [path.with_name(f"gateway.log.{n}").read_bytes()[:1] for n in (1, 2, 3)] == [
        b"5",
        b"4",
        b"3",
    ]
    assert not path.with_name("gateway.log.4").exists()


def test_a_data_folder_that_another_process_uses_is_refused_with_its_pid(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from alarmstack.core.folder import claimed\n"
            f"with claimed(Path({str(tmp_path)!r}), 'demo'):\n"
            "  print('held', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with (
        pytest.raises(
            ServiceError, match=rf"is in use by process {holder.pid}.*ALARMSTACK_DATA_DIR"
        ),
        claimed(tmp_path, "demo"),
    ):
        pass
    holder.kill()
    holder.wait()
    with claimed(tmp_path, "demo"):
        """The lock of a killed process is free."""


def test_a_second_demo_in_the_same_folder_is_refused_on_one_line(tmp_path: Path) -> None:
    ports = [f"ALARMSTACK_{name}_PORT" for name in ("SENSORS", "INFERENCE", "GATEWAY", "PAGE")]
    environment = (
        os.environ
        | {name: str(free_port()) for name in ports}
        | {"ALARMSTACK_DATA_DIR": str(tmp_path)}
    )
    with claimed(tmp_path, "demo"):
        for words in (["serve", "all"], ["demo"]):
            command = [str(Path(sys.executable).with_name("alarmstack")), *words]
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=120, check=False
            )
            assert (
                done.returncode == 1
                and done.stderr.count("\n") == 1
                and "is in use by process" in done.stderr
            )


def test_a_port_in_use_is_named_with_the_process_that_uses_it(tmp_path: Path) -> None:
    service = server("sensors")
    port = next(iter(service.ports))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        with pytest.raises(
            ServiceError,
            match=rf"port {port} \(sensors\) is in use by process {os.getpid()}.*THE_PORT",
        ):
            check_ports([service])


def test_a_service_that_does_not_become_healthy_is_reported_with_its_last_log_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alarmstack.cli.supervisor.HEALTHY_WITHIN", 1.0)
    broken = Service(
        "broken",
        [sys.executable, "-c", "raise SystemExit('no model folder')"],
        {},
        "http://127.0.0.1:9/",
    )

    async def nothing(supervisor: Supervisor) -> None: ...

    with pytest.raises(ServiceError, match=r"broken did not become healthy.*no model folder"):
        supervised([broken], tmp_path, nothing)


def test_services_stop_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """A service run by `alarmstack.services.runtime.server.run` watches the pipe to its
    supervisor.
    """
    port = free_port()
    child = (
        "from fastapi import FastAPI; from alarmstack.services.runtime.server import listen, run;"
        f"print('up', flush=True); run(FastAPI(), [listen('127.0.0.1', {port})])"
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, os\n"
            f"p = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE,"
            " stdout=subprocess.PIPE, env={**os.environ, 'ALARMSTACK_SUPERVISED': '1'},"
            " start_new_session=True)\n"
            "p.stdout.readline(); print(p.pid, flush=True); p.wait()",
        ],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    service = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    service.wait(timeout=15)
    assert not service.is_running()
