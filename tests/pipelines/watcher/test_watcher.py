"""The watcher with real files: it processes each complete file once, also after a restart.

No drop is lost while Airflow does not answer.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from alarmstack.core.errors import ServiceError
from alarmstack.pipelines.watcher import Airflow, Watcher, watch
from alarmstack.pipelines.watcher.drops import Settling, drop_fingerprint, drops_in
from alarmstack.pipelines.watcher.ledger import Entry, Ledger
from tests.conftest import REPOSITORY
from tests.object_store import free_ports
from tests.waiting import end_of, until

SETTLE = 2.0
STOP_SECONDS = 60.0


@dataclass
class Recorder:
    """Records the drops that it processes, after a number of failures."""

    taken: list[tuple[str, str]] = field(default_factory=list)
    failures: int = 0

    def __call__(self, path: Path, sha256: str) -> Entry:
        if self.failures:
            self.failures -= 1
            raise ServiceError("away")
        self.taken.append((path.name, path.read_text() if path.is_file() else "folder"))
        return Entry(path.name, sha256, "taken", "run")

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.taken]


@dataclass
class Scene:
    """A watched drop folder that a test checks at given times."""

    root: Path
    recorder: Recorder = field(default_factory=Recorder)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.root / "data_drop"
        self.folder.mkdir()
        self.restart()

    def restart(self) -> None:
        ledger = Ledger(self.root / "ledger.jsonl")
        self.watcher = Watcher(
            self.folder, ledger, self.recorder, self.lines.append, Settling(SETTLE)
        )

    def drop(self, name: str, content: str = "content") -> Path:
        path = self.folder / name
        path.write_text(content)
        return path

    def checks(self, *times: float) -> list[str]:
        """Check the folder at these times (seconds). Returns the names processed so far."""
        for time in times:
            self.watcher.check(time)
        return self.recorder.names


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_slow_copy_is_processed_when_it_no_longer_changes(scene: Scene) -> None:
    path = scene.drop("a.csv", "half")
    assert scene.checks(0.0, 1.9) == []
    path.write_text("half and the rest")
    assert scene.checks(2.0, 3.9) == []
    assert scene.checks(4.0) == ["a.csv"]
    assert scene.recorder.taken == [("a.csv", "half and the rest")]


def test_a_file_renamed_into_place_is_processed(scene: Scene) -> None:
    part = scene.drop("a.csv.part")
    assert scene.checks(0.0, 10.0) == []
    part.rename(scene.folder / "a.csv")
    assert scene.checks(11.0, 13.0) == ["a.csv"]


@pytest.mark.parametrize("name", ["~$a.xlsx", ".a.csv", "a.csv.part", "a.txt", "a.ods"])
def test_a_file_that_is_not_a_drop_is_ignored(scene: Scene, name: str) -> None:
    scene.drop(name)
    assert scene.checks(0.0, 10.0) == []


def test_an_empty_file_is_processed_when_it_has_content(scene: Scene) -> None:
    path = scene.drop("a.csv", "")
    assert scene.checks(0.0, 10.0) == []
    path.write_text("content")
    assert scene.checks(11.0, 13.0) == ["a.csv"]


def test_fifty_files_are_each_processed_once_in_order_of_their_times(scene: Scene) -> None:
    for i in range(50):
        os.utime(scene.drop(f"{i:02}.csv", str(i)), (1000 + i, 1000 + i))
    assert scene.checks(0.0, 2.0, 4.0, 6.0) == [f"{i:02}.csv" for i in range(50)]


def test_the_same_name_with_other_content_is_another_drop(scene: Scene) -> None:
    scene.drop("a.csv", "first")
    scene.checks(0.0, 2.0)
    scene.drop("a.csv", "second, longer")
    scene.checks(3.0, 5.0)
    os.utime(scene.drop("a.csv", "second, longer"), (1, 1))
    scene.checks(6.0, 8.0)
    assert scene.recorder.taken == [("a.csv", "first"), ("a.csv", "second, longer")]


def test_a_folder_of_exports_is_one_drop(scene: Scene) -> None:
    (scene.folder / "march").mkdir()
    scene.drop("march/PDT31008.csv")
    assert scene.checks(0.0) == []
    scene.drop("march/LT301031.csv")
    assert scene.checks(2.0) == []
    assert scene.checks(4.0) == ["march"]


def test_after_a_restart_every_drop_is_still_processed_exactly_once(scene: Scene) -> None:
    scene.drop("a.csv")
    scene.checks(0.0, 2.0)
    scene.drop("b.csv")
    scene.checks(3.0)
    scene.restart()
    assert scene.checks(0.0, 2.0) == ["a.csv", "b.csv"]


def test_an_incomplete_ledger_line_after_a_power_cut_is_ignored(scene: Scene) -> None:
    scene.drop("a.csv")
    scene.checks(0.0, 2.0)
    ledger = scene.root / "ledger.jsonl"
    ledger.write_text(ledger.read_text()[:-20])
    scene.restart()
    assert scene.checks(0.0, 2.0) == ["a.csv", "a.csv"]


def test_a_failed_drop_is_retried_with_longer_pauses(scene: Scene) -> None:
    scene.recorder.failures = 2
    scene.drop("a.csv")
    assert scene.checks(0.0, 2.0, 2.9) == []
    assert scene.checks(3.0, 4.9) == []
    assert scene.checks(5.0) == ["a.csv"]
    assert [line.split(";")[-1] for line in scene.lines] == [
        " retry in 1 s",
        " retry in 2 s",
        "a.csv: taken: run",
    ]


def test_a_drop_is_identified_by_name_and_content(tmp_path: Path) -> None:
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("x")
    other.write_text("x")
    assert drop_fingerprint(one) == drop_fingerprint(one) != drop_fingerprint(other)
    assert list(drops_in(tmp_path)) == [one, other]


class AirflowApi:
    """The two endpoints of Airflow that the watcher uses; a run of the same name is refused."""

    def __init__(self, port: int) -> None:
        self.runs: dict[str, str] = {}
        self.logins = 0
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/auth/token":
                    api.logins += 1
                    right = body == {"username": "admin", "password": "secret"}
                    self.answer(201 if right else 401, {"access_token": f"token-{api.logins}"})
                elif self.headers["Authorization"] != f"Bearer token-{api.logins}":
                    self.answer(401, {})
                else:
                    known = body["dag_run_id"] in api.runs
                    api.runs[body["dag_run_id"]] = body["conf"]["source_path"]
                    self.answer(409, {"detail": "exists"}) if known else self.answer(
                        200, {"dag_run_id": body["dag_run_id"]}
                    )

            def answer(self, status: int, content: dict[str, str]) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


def test_no_drop_is_lost_while_airflow_does_not_answer(scene: Scene, port: int) -> None:
    scene.watcher.take = Airflow(f"http://127.0.0.1:{port}", "admin", "secret")
    paths = [scene.drop("a.csv", "a"), scene.drop("b.csv", "b")]
    scene.checks(0.0, 2.0, 3.0, 5.0)
    assert len(scene.lines) == 6 and all("does not answer" in line for line in scene.lines)
    api = AirflowApi(port)
    scene.checks(70.0)
    assert sorted(api.runs.values()) == [str(path.resolve()) for path in paths]
    api.close()


def test_a_drop_handed_over_before_a_crash_is_not_run_twice(scene: Scene, port: int) -> None:
    api = AirflowApi(port)
    scene.watcher.take = Airflow(f"http://127.0.0.1:{port}", "admin", "secret")
    path = scene.drop("a.csv")
    sha256 = drop_fingerprint(path)
    scene.watcher.take(path, sha256)
    assert scene.watcher.take(path, sha256).outcome == "handed over"
    assert len(api.runs) == 1
    api.close()


def test_an_expired_token_is_replaced(scene: Scene, port: int) -> None:
    api = AirflowApi(port)
    take = Airflow(f"http://127.0.0.1:{port}", "admin", "secret")
    take(scene.drop("a.csv"), "1" * 64)
    api.logins += 1
    take(scene.drop("b.csv"), "2" * 64)
    assert len(api.runs) == 2
    api.close()


def test_a_wrong_login_names_the_settings_to_correct(scene: Scene, port: int) -> None:
    api = AirflowApi(port)
    with pytest.raises(
        ServiceError, match=r"refuses the login 'admin' \(401\): correct AIRFLOW_ADMIN_USER"
    ):
        Airflow(f"http://127.0.0.1:{port}", "admin", "wrong")(scene.drop("a.csv"), "1" * 64)
    api.close()


@pytest.mark.parametrize("polling", [False, True])
def test_files_that_come_while_it_watches_are_noticed(tmp_path: Path, polling: bool) -> None:
    """The loop itself, with file notifications and with polling: a file that another process
    copies slowly is read when it is complete.
    """
    recorder, stop = Recorder(), threading.Event()
    folder = tmp_path / "drop"
    watcher = Watcher(
        folder, Ledger(tmp_path / "ledger.jsonl"), recorder, lambda _: None, Settling(0.3)
    )

    class EndedError(BaseException):
        """Ends the loop, which no error in a file can do."""

    def take(path: Path, sha256: str) -> Entry:
        if path.name == "stop.csv":
            raise EndedError
        return recorder(path, sha256)

    watcher.take = take

    def loop() -> None:
        with pytest.raises(EndedError):
            watch(watcher, polling=polling)
        stop.set()

    thread = threading.Thread(target=loop)
    thread.start()
    until(folder.exists, lambda: f"{folder} does not exist")
    writer = (
        "import sys,time\nwith open(sys.argv[1],'w') as f:\n"
        " for i in range(5): f.write('x'*1000); f.flush(); time.sleep(0.1)"
    )
    subprocess.run([sys.executable, "-c", writer, str(folder / "slow.csv")], check=True)
    until(lambda: recorder.names == ["slow.csv"], lambda: recorder.names)
    (folder / "stop.csv").write_text("stop")
    assert stop.wait(STOP_SECONDS)
    thread.join()
    assert recorder.taken == [("slow.csv", "x" * 5000)]


@dataclass
class Running:
    """`alarmstack watch` in its own process."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        variables = {
            "ALARMSTACK_DATA_DIR": str(self.home / "data"),
            "ALARMSTACK_SETTLE_SECONDS": "0.5",
            "COLUMNS": "300",
        }
        command = [
            str(Path(sys.executable).with_name("alarmstack")),
            "watch",
            str(self.home / "data_drop"),
        ]
        with (self.home / "log").open("a") as log:
            self.process = subprocess.Popen(
                command,
                env=os.environ | variables | self.settings,
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
                text=True,
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @property
    def entries(self) -> list[Entry]:
        return Ledger(self.home / "data/watcher/ledger.jsonl").entries()

    def has_entries(self, number: int) -> None:
        """Wait until the ledger has this number of entries."""
        until(
            lambda: len(self.entries) == number,
            lambda: end_of(self.home / "log"),
            process=self.process,
        )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    watcher = Running(tmp_path)
    (tmp_path / "data_drop").mkdir()
    watcher.start()
    yield watcher
    watcher.kill()


@pytest.mark.slow
def test_a_dataset_becomes_a_run_and_a_bad_one_is_set_aside(running: Running, home: Path) -> None:
    """The real command: a valid file is published in the store, a refused one is kept with the
    reasons, and a restart repeats nothing.
    """
    from tests.home import alarmstack

    alarmstack(home, "ingest", str(home / "drop"), "--out", str(running.home / "made"))
    good = (running.home / "made/labeled_dataset.csv").read_bytes()
    (running.home / "data_drop/good.csv").write_bytes(good)
    (running.home / "data_drop/bad.csv").write_text("timestamp,PDT31008\n")
    (running.home / "data_drop/odd.xlsx").write_bytes(b"not a workbook")
    running.has_entries(3)
    assert {entry.name: entry.outcome for entry in running.entries} == {
        "good.csv": "taken", "bad.csv": "refused", "odd.xlsx": "refused"
    }  # fmt: skip
    manifest = json.loads((running.home / "data/store/latest/manifest.json").read_text())
    assert manifest["drop"]["name"] == "good.csv" and manifest["rows"] == good.count(b"\n") - 1
    running.kill()
    old = running.home / "data/refused/old-1"
    old.mkdir(parents=True)
    (old / "verdict.json").write_text("{}")
    os.utime(old / "verdict.json", (0, 0))
    (running.home / "data_drop/mislabelled.csv").write_bytes(good.replace(b",0,0\n", b",7,0\n", 1))
    running.start()
    running.has_entries(4)
    assert (running.entries[-1].name, running.entries[-1].outcome) == ("mislabelled.csv", "refused")
    assert list((running.home / "data/refused").glob("mislabelled-*/verdict.txt"))
    assert not old.exists(), "refused drops are removed after ALARMSTACK_KEEP_DROPS_DAYS"
