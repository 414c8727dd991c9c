"""Completed steps are skipped; after a change or a lost result, a step and all later ones run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from alarmstack.core.progress import Progress
from alarmstack.pipelines.steps import Steps


def run(folder: Path, *, seed: str = "1", fail_at: str = "") -> list[str]:
    """Run three steps, each of which writes a file. Returns the steps that ran."""
    steps = Steps(folder / "stamps", Console(quiet=True))

    def work(name: str) -> Callable[[Progress], str]:
        def step(progress: Progress) -> str:
            if name == fail_at:
                raise KeyboardInterrupt
            (folder / name).write_text(name)
            return "done"

        return step

    for name, inputs in (("simulate", seed), ("train", ""), ("score", "")):
        steps.step(name, inputs, [folder / name], work(name))
    return steps.ran


def test_a_second_run_skips_every_step(tmp_path: Path) -> None:
    assert run(tmp_path) == ["simulate", "train", "score"]
    assert run(tmp_path) == []


def test_an_interrupted_run_resumes_at_the_interrupted_step(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, fail_at="train")
    assert run(tmp_path) == ["train", "score"]


def test_a_changed_step_runs_again_with_all_later_ones(tmp_path: Path) -> None:
    run(tmp_path)
    assert run(tmp_path, seed="2") == ["simulate", "train", "score"]


def test_a_step_with_a_missing_result_runs_again(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "train").unlink()
    assert run(tmp_path) == ["train"]


def test_an_incomplete_stamp_is_ignored(tmp_path: Path) -> None:
    run(tmp_path)
    for stamp in (tmp_path / "stamps").iterdir():
        stamp.write_text('{"chain": "')
    assert run(tmp_path) == ["simulate", "train", "score"]
