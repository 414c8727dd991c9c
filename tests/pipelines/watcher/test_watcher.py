"""The watcher with real files: whole ones only, each once, over restarts, and nothing lost while
Airflow is away.
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
from alarmstack.pipelines.watcher.drops import Settling, drops_in, fingerprint
from alarmstack.pipelines.watcher.ledger import Entry, Ledger
from tests.conftest import REPOSITORY
from tests.object_store import free_ports
from tests.waiting import end_of, until

SETTLE = 2.0
PATIENCE = 60.0


@dataclass
class Recorder:
    """Takes drops and remembers them; fails where it is told to."""

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
    """A drop folder, and looks at it at moments that the test names."""

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

    def looks(self, *moments: float) -> list[str]:
        """Look at those moments; names taken by now."""
        for moment in moments:
            self.watcher.look(moment)
        return self.recorder.names


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_slow_copy_is_taken_when_it_has_come_to_rest(scene: Scene) -> None:
    path = scene.drop("a.csv", "half")
    assert scene.looks(0.0, 1.9) == []
    path.write_text("half and whole")
    assert scene.looks(2.0, 3.9) == []
    assert scene.looks(4.0) == ["a.csv"]
    assert scene.recorder.taken == [("a.csv", "half and whole")]


def test_a_file_renamed_into_place_is_taken(scene: Scene) -> None:
    part = scene.drop("a.csv.part")
    assert scene.looks(0.0, 10.0) == []
    part.rename(scene.folder / "a.csv")
    assert scene.looks(11.0, 13.0) == ["a.csv"]


@pytest.mark.parametrize("name", ["~$a.xlsx", ".a.csv", "a.csv.part", "a.txt", "a.ods"])
def test_a_file_that_is_not_a_drop_is_ignored(scene: Scene, name: str) -> None:
    scene.drop(name)
    assert scene.looks(0.0, 10.0) == []


def test_an_empty_file_is_waited_for(scene: Scene) -> None:
    path = scene.drop("a.csv", "")
    assert scene.looks(0.0, 10.0) == []
    path.write_text("now")
    assert scene.looks(11.0, 13.0) == ["a.csv"]


def test_fifty_files_at_once_are_each_taken_once_in_the_order_they_came(scene: Scene) -> None:
    for i in range(50):
        os.utime(scene.drop(f"{i:02}.csv", str(i)), (1000 + i, 1000 + i))
    assert scene.looks(0.0, 2.0, 4.0, 6.0) == [f"{i:02}.csv" for i in range(50)]


def test_the_same_name_with_other_content_is_another_drop(scene: Scene) -> None:
    scene.drop("a.csv", "first")
    scene.looks(0.0, 2.0)
    scene.drop("a.csv", "second, longer")
    scene.looks(3.0, 5.0)
    os.utime(scene.drop("a.csv", "second, longer"), (1, 1))
    scene.looks(6.0, 8.0)
    assert scene.recorder.taken == [("a.csv", "first"), ("a.csv", "second, longer")]


def test_a_folder_of_exports_is_one_drop(scene: Scene) -> None:
    (scene.folder / "march").mkdir()
    scene.drop("march/PDT31008.csv")
    assert scene.looks(0.0) == []
    scene.drop("march/LT301031.csv")
    assert scene.looks(2.0) == []
    assert scene.looks(4.0) == ["march"]


def test_a_restart_takes_nothing_twice_and_forgets_nothing(scene: Scene) -> None:
    scene.drop("a.csv")
    scene.looks(0.0, 2.0)
    scene.drop("b.csv")
    scene.looks(3.0)
    scene.restart()
    assert scene.looks(0.0, 2.0) == ["a.csv", "b.csv"]


def test_a_ledger_line_that_a_power_cut_left_half_is_no_entry(scene: Scene) -> None:
    scene.drop("a.csv")
    scene.looks(0.0, 2.0)
    ledger = scene.root / "ledger.jsonl"
    ledger.write_text(ledger.read_text()[:-20])
    scene.restart()
    assert scene.looks(0.0, 2.0) == ["a.csv", "a.csv"]


def test_what_cannot_be_taken_now_is_tried_again_with_longer_pauses(scene: Scene) -> None:
    scene.recorder.failures = 2
    scene.drop("a.csv")
    assert scene.looks(0.0, 2.0, 2.9) == []
    assert scene.looks(3.0, 4.9) == []
    assert scene.looks(5.0) == ["a.csv"]
    assert [line.split(";")[-1] for line in scene.lines] == [
        " again in 1 s",
        " again in 2 s",
        "a.csv: taken: run",
    ]


def test_a_drop_is_known_by_name_and_content(tmp_path: Path) -> None:
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("x")
    other.write_text("x")
    assert fingerprint(one) == fingerprint(one) != fingerprint(other)
    assert list(drops_in(tmp_path)) == [one, other]


class Desk:
    """Airflow's two endpoints as the watcher meets them, with a login and runs that
    are made once.
    """

    def __init__(self, port: int) -> None:
        self.runs: dict[str, str] = {}
        self.logins = 0
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/auth/token":
                    desk.logins += 1
                    right = body == {"username": "admin", "password": "secret"}
                    self.answer(201 if right else 401, {"access_token": f"token-{desk.logins}"})
                elif self.headers["Authorization"] != f"Bearer token-{desk.logins}":
                    self.answer(401, {})
                else:
                    known = body["dag_run_id"] in desk.runs
                    desk.runs[body["dag_run_id"]] = body["conf"]["source_path"]
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


def test_airflow_away_for_a_while_loses_no_drop(scene: Scene, port: int) -> None:
    scene.watcher.take = Airflow(f"http://127.0.0.1:{port}", "admin", "secret")
    paths = [scene.drop("a.csv", "a"), scene.drop("b.csv", "b")]
    scene.looks(0.0, 2.0, 3.0, 5.0)
    assert len(scene.lines) == 6 and all("does not answer" in line for line in scene.lines)
    desk = Desk(port)
    scene.looks(70.0)
    assert sorted(desk.runs.values()) == [str(path.resolve()) for path in paths]
    desk.close()


def test_a_drop_handed_over_before_a_crash_is_not_run_twice(scene: Scene, port: int) -> None:
    desk = Desk(port)
    scene.watcher.take = Airflow(f"http://127.0.0.1:{port}", "admin", "secret")
    path = scene.drop("a.csv")
    sha256 = fingerprint(path)
    scene.watcher.take(path, sha256)
    assert scene.watcher.take(path, sha256).outcome == "handed over"
    assert len(desk.runs) == 1
    desk.close()


def test_a_token_that_has_run_out_is_asked_for_again(scene: Scene, port: int) -> None:
    desk = Desk(port)
    take = Airflow(f"http://127.0.0.1:{port}", "admin", "secret")
    take(scene.drop("a.csv"), "1" * 64)
    desk.logins += 1
    take(scene.drop("b.csv"), "2" * 64)
    assert len(desk.runs) == 2
    desk.close()


def test_a_wrong_login_names_the_settings_to_correct(scene: Scene, port: int) -> None:
    desk = Desk(port)
    with pytest.raises(
        ServiceError, match=r"refuses the login 'admin' \(401\): correct AIRFLOW_ADMIN_USER"
    ):
        Airflow(f"http://127.0.0.1:{port}", "admin", "wrong")(scene.drop("a.csv"), "1" * 64)
    desk.close()


@pytest.mark.parametrize("polling", [False, True])
def test_files_that_come_while_it_watches_are_noticed(tmp_path: Path, polling: bool) -> None:
    """The loop itself, with the system's notices and without: a file copied slowly by another
    process comes whole.
    """
    recorder, stop = Recorder(), threading.Event()
    folder = tmp_path / "drop"
    watcher = Watcher(
        folder, Ledger(tmp_path / "ledger.jsonl"), recorder, lambda _: None, Settling(0.3)
    )

    class EndedError(BaseException):
        """Nothing that an error in a file can be: it ends the loop."""

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
    until(folder.exists, lambda: f"{folder} is not made")
    writer = (
        "import sys,time\nwith open(sys.argv[1],'w') as f:\n"
        " for i in range(5): f.write('x'*1000); f.flush(); time.sleep(0.1)"
    )
    subprocess.run([sys.executable, "-c", writer, str(folder / "slow.csv")], check=True)
    until(lambda: recorder.names == ["slow.csv"], lambda: recorder.names)
    (folder / "stop.csv").write_text("stop")
    assert stop.wait(PATIENCE)
    thread.join()
    assert recorder.taken == [("slow.csv", "x" * 5000)]


@dataclass
class Running:
    """`alarmstack watch` as a process of its own."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        told = {
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
                env=os.environ | told | self.settings,
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
        """Wait until so many files have been dealt with."""
        until(
            lambda: len(self.entries) == number,
            lambda: end_of(self.home / "log"),
            process=self.process,
        )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    (tmp_path / "data_drop").mkdir()
    made.start()
    yield made
    made.kill()


@pytest.mark.slow
def test_a_dataset_becomes_a_run_and_a_bad_one_is_set_aside(running: Running, home: Path) -> None:
    """The real command: a good file is published in the store, a refused one kept with its verdict;
    a restart repeats nothing.
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
    assert not old.exists(), "refused drops are kept for their time"
