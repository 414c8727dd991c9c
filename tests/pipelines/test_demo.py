"""Steps that were done are not done again; a change or a lost result does them again, and all that follow."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from alarmstack.core.progress import Progress
from alarmstack.pipelines.steps import Steps


def run(folder: Path, *, seed: str = "1", fail_at: str = "") -> list[str]:
    """Three steps, each of which writes a file; what ran is returned."""
    steps = Steps(folder / "stamps", Console(quiet=True))

    def work(name: str) -> Callable[[Progress], str]:
        def made(progress: Progress) -> str:
            if name == fail_at:
                raise KeyboardInterrupt
            (folder / name).write_text(name)
            return "done"

        return made

    for name, made_from in (("simulate", seed), ("train", ""), ("score", "")):
        steps.step(name, made_from, [folder / name], work(name))
    return steps.ran


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    assert run(tmp_path) == ["simulate", "train", "score"]
    assert run(tmp_path) == []


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, fail_at="train")
    assert run(tmp_path) == ["train", "score"]


def test_a_change_does_all_that_follows_again(tmp_path: Path) -> None:
    run(tmp_path)
    assert run(tmp_path, seed="2") == ["simulate", "train", "score"]


def test_a_lost_result_is_made_again(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "train").unlink()
    assert run(tmp_path) == ["train"]


def test_a_half_written_stamp_is_no_stamp(tmp_path: Path) -> None:
    run(tmp_path)
    for stamp in (tmp_path / "stamps").iterdir():
        stamp.write_text('{"chain": "')
    assert run(tmp_path) == ["simulate", "train", "score"]
