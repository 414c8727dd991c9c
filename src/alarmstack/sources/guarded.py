"""Reading in a process of its own: for any file, the caller gets a drop or a reason.

A file from outside may need terabytes of memory, never end, or make a library abort the process. It
is therefore read by a child process with limits on memory and time (`Limits`). A file that ends its
reader becomes a problem of its drop, and the other files are read again without it. The child
returns Arrow tables and JSON, which contain neither code nor objects.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn, Protocol

import polars as pl

from alarmstack.core.errors import ServiceError, SourceError
from alarmstack.core.formats import EXCEL
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.sources.drop import Access, Drop, read_source
from alarmstack.sources.grids import DEFAULT_LIMITS
from alarmstack.sources.limits import MEGABYTE, Limits
from alarmstack.sources.problems import Problem, printable

MOST_FATAL = 3
"""Files of one drop that may end their reader before the whole drop is refused."""
NO_MEMORY, BROKEN = 77, 78
"""Exit statuses of the child: out of memory; unexpected error (traceback on standard error)."""
READING = "@reading "
"""Begins a line in which the child names the file that it reads next."""
FRAMES = ("readings", "table", "operator_log")
FEW_THREADS = {"POLARS_MAX_THREADS": "4", "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
"""Each thread reserves address space, which is limited."""
STOPPED_FROM_OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
GRACE = 5.0
"""Wall seconds that the child may take to end after its own time limit."""
ERROR_CHARACTERS = 4000
"""The end of the child's error output that is logged."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """The input of the child. `fatal`: files that ended an earlier reader, with the reason."""

    plant: Plant
    path: Path
    operator_log: Path | None
    now: datetime | None
    limits: Limits
    fatal: dict[Path, str]


class Reader(Protocol):
    """A function that reads a drop: `read_source`, or one that runs it in a child process."""

    def __call__(
        self,
        plant: Plant,
        path: Path,
        *,
        operator_log: Path | None = None,
        now: datetime | None = None,
    ) -> Drop:
        """The content of a drop. Raises SourceError when nothing can be read."""
        ...


@dataclass(frozen=True)
class Guarded:
    """A reader of drops in a child process, with the interface of `read_source`."""

    limits: Limits = DEFAULT_LIMITS

    def __call__(
        self,
        plant: Plant,
        path: Path,
        *,
        operator_log: Path | None = None,
        now: datetime | None = None,
    ) -> Drop:
        """Read a folder of exports or one file.

        Raises SourceError when nothing can be read or the limits are exceeded, ServiceError when
        the child could not run.
        """
        fatal: dict[Path, str] = {}
        end = monotonic() + self.limits.seconds
        while True:
            order = Order(plant, path, operator_log, now, self.limits, fatal)
            ended = _run(order, max(end - monotonic(), 1.0))
            if ended.status == 0:
                return _drop(ended.output)
            reason, file = ended.reason(self.limits), ended.file
            if file is None or file in fatal or len(fatal) == MOST_FATAL:
                raise SourceError(f"{printable(path.name)} cannot be read: {reason}")
            fatal[file] = reason


@dataclass(frozen=True)
class Workbooks:
    """A reader for a worker that reads many drops.

    Only drops with workbooks are read in a child process, because their library may abort it.
    """

    limits: Limits = DEFAULT_LIMITS

    def __call__(
        self,
        plant: Plant,
        path: Path,
        *,
        operator_log: Path | None = None,
        now: datetime | None = None,
    ) -> Drop:
        """Read a folder of exports or one file. Raises SourceError."""
        files = list(path.iterdir()) if path.is_dir() else [path]
        if any(file.suffix.lower() in EXCEL for file in files):
            return Guarded(self.limits)(plant, path, operator_log=operator_log, now=now)
        return read_source(
            plant, path, operator_log=operator_log, now=now, access=Access(self.limits)
        )


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status, its output, and whether it was killed for being late."""

    status: int
    output: bytes
    errors: str
    late: bool = False

    @property
    def file(self) -> Path | None:
        """The file that was being read."""
        lines = [line for line in self.errors.splitlines() if line.startswith(READING)]
        return Path(json.loads(lines[-1].removeprefix(READING))) if lines else None

    def reason(self, limits: Limits) -> str:
        """Why there is no drop. Raises ServiceError when the file is not the cause."""
        if self.late or self.status in (-signal.SIGALRM, -signal.SIGXCPU):
            return limits.too_slow()
        if self.status == NO_MEMORY or (
            self.status == -signal.SIGABRT and "memory allocation" in self.errors
        ):
            return limits.too_large()
        if self.status == -signal.SIGKILL:
            return "the system ended its reader, probably for lack of memory"
        if -self.status in STOPPED_FROM_OUTSIDE:
            raise ServiceError("reading was interrupted")
        log.error("a reader ended with %s:\n%s", self.status, self.errors[-ERROR_CHARACTERS:])
        if self.status < 0:
            return f"it ended its reader ({signal.Signals(-self.status).name})"
        last = next(iter(reversed(self.errors.strip().splitlines())), "no message")
        return f"unexpected error in its reader ({printable(last)})"


def _run(order: Order, seconds: float) -> Ended:
    """Run a child until it ends or the time is over. Ctrl-C reaches only the caller."""
    command = [sys.executable, "-m", "alarmstack.sources"]
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=os.environ | FEW_THREADS,
            start_new_session=True,
        )
    except OSError as error:
        raise ServiceError(
            f"no process to read {printable(order.path.name)} can be started: {error.strerror}"
        ) from error
    late = False
    with child:
        try:
            output, errors = child.communicate(pickle.dumps(order), timeout=seconds + GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            output, errors = child.communicate()
            late = True
        except BaseException:
            child.kill()
            raise
    return Ended(child.returncode, output, errors.decode(errors="replace"), late)


def _drop(output: bytes) -> Drop:
    """The drop in a child's output. Raises SourceError with the reason when there is none."""
    head, _, body = output.partition(b"\n")
    content: dict[str, Any] = json.loads(head)
    if "refused" in content:
        raise SourceError(content["refused"])
    frames = dict(_frames(content["frames"], body))
    problems = tuple(Problem(**problem) for problem in content["problems"])
    return Drop(**frames, problems=problems, files=tuple(map(Path, content["files"])))


def _frames(sizes: dict[str, int | None], body: bytes) -> Iterator[tuple[str, pl.DataFrame | None]]:
    begin = 0
    for name in FRAMES:
        size = sizes[name]
        if size is None:
            yield name, None
            continue
        yield name, pl.read_ipc_stream(BytesIO(body[begin : begin + size]))
        begin += size


def _answer(order: Order) -> bytes:
    """The work of the child: read the drop and write it in the form that `_drop` reads."""

    def before(file: Path) -> None:
        print(READING + json.dumps(str(file)), file=sys.stderr, flush=True)
        if file in order.fatal:
            raise SourceError(order.fatal[file])

    access = Access(order.limits, before)
    try:
        drop = read_source(
            order.plant, order.path, operator_log=order.operator_log, now=order.now, access=access
        )
    except SourceError as refusal:
        return json.dumps({"refused": str(refusal)}).encode() + b"\n"
    bodies = {name: _packed(getattr(drop, name)) for name in FRAMES}
    content = {
        "frames": {name: None if body is None else len(body) for name, body in bodies.items()},
        "problems": [asdict(problem) for problem in drop.problems],
        "files": list(map(str, drop.files)),
    }
    packed = b"".join(body for body in bodies.values() if body is not None)
    return json.dumps(content).encode() + b"\n" + packed


def _packed(frame: pl.DataFrame | None) -> bytes | None:
    if frame is None:
        return None
    stream = BytesIO()
    frame.write_ipc_stream(stream)
    return stream.getvalue()


def _limit_this_process(limits: Limits, seconds: float) -> None:
    """Limit memory and time. When memory runs out, the system ends this process first."""
    if sys.platform == "win32":
        return
    import resource

    most = limits.memory * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> NoReturn:
    """The child: an order on standard input, and only the answer on standard output."""
    order: Order = pickle.load(sys.stdin.buffer)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _limit_this_process(order.limits, order.limits.seconds)
    try:
        answers.write(_answer(order))
        answers.flush()
    except MemoryError:
        os._exit(NO_MEMORY)
    except Exception:
        logging.exception("%s", printable(str(order.path)))
        os._exit(BROKEN)
    os._exit(0)


def guarded(settings: Settings) -> Guarded:
    """The reader with the limits of the settings."""
    return Guarded(Limits.of(settings))


__all__ = ["Guarded", "Reader", "Workbooks", "guarded", "main"]
