"""`alarmstack bench skill` prints one table per set and writes scores, episodes and event plots."""

import json
from pathlib import Path

import polars as pl

from tests.bench.plants import recording, write_set
from tests.home import alarmstack

METRICS = """
[protocol]
hold_out = true

[[metrics]]
metric = "event_recall"
published = { "somebody" = 0.5 }
at_least = 0.9

[[metrics]]
metric = "false_alarms"
at_most = 0.001
"""
EXPERT = """
[[normality.experts]]
name = "level"
kind = "static"
"""


def test_a_public_set_is_evaluated_beside_baselines_and_published_results(
    tmp_path: Path,
) -> None:
    folder, data, out = tmp_path / "sets" / "rig", tmp_path / "data" / "rig", tmp_path / "out"
    write_set(folder, METRICS)
    (folder / "plant.toml").write_text((folder / "plant.toml").read_text() + EXPERT)
    data.mkdir(parents=True)
    for place, asset in enumerate("ab"):
        recording(f"{asset}/1", asset, 2000, event=(1500, 1560), seed=place).write_parquet(
            data / f"{asset}.parquet"
        )
    words = [
        "bench",
        "skill",
        "--data",
        str(tmp_path / "data"),
        "--sets",
        str(tmp_path / "sets"),
        "--out",
        str(out),
    ]
    printed = alarmstack(
        tmp_path,
        *words,
        "--json",
        str(tmp_path / "skill.json"),
        "--report",
        str(tmp_path / "skill.md"),
    ).stdout
    assert "Rig" in printed and "missed" in printed

    recall, false = json.loads((tmp_path / "skill.json").read_text())
    assert (recall["set"], recall["metric"], recall["value"], recall["met"], recall["count"]) == (
        "rig",
        "event_recall",
        1.0,
        True,
        2,
    )
    assert (
        recall["published"] == {"somebody": 0.5}
        and recall["baseline"] == 0.5
        and recall["ratio"] == 2.0
    )
    assert {"random", "static limit", "slope", "PCA"} <= set(recall["baselines"])
    assert false["met"] is False and false["value"] > 0.001
    assert "| event_recall | 1 |" in (tmp_path / "skill.md").read_text()

    scores = pl.read_parquet(out / "rig" / "scores.parquet").filter(
        pl.col("contender") == "normality"
    )
    assert scores.height == 4000 and scores.filter("event").height == 122
    episodes = pl.read_parquet(out / "rig" / "episodes.parquet").filter(
        contender="normality", in_event=True
    )
    assert set(episodes["run"]) == {"a/1", "b/1"}
    assert sorted(p.name for p in (out / "rig" / "events").iterdir()) == ["a_1_0.png", "b_1_0.png"]


def test_an_unknown_set_is_named_with_the_known_ones(tmp_path: Path) -> None:
    write_set(tmp_path / "sets" / "rig")
    done = alarmstack(
        tmp_path, "bench", "skill", "--sets", str(tmp_path / "sets"), "--set", "rigg", check=False
    )
    assert done.returncode == 1 and "rigg" in done.stderr and "use one of rig" in done.stderr


def test_the_other_sets_are_evaluated_if_the_files_of_one_are_missing(
    tmp_path: Path,
) -> None:
    for name in ("gone", "rig"):
        path = write_set(tmp_path / "sets" / name, METRICS)
        path.write_text(path.read_text().replace('name = "rig"', f'name = "{name}"'))
        (path.parent / "plant.toml").write_text((path.parent / "plant.toml").read_text() + EXPERT)
    (tmp_path / "data" / "rig").mkdir(parents=True)
    (tmp_path / "data" / "gone").mkdir()
    for asset in "ab":
        recording("1" + asset, asset, 300, event=(200, 220)).write_parquet(
            tmp_path / "data" / "rig" / f"{asset}.parquet"
        )
    words = [
        "bench",
        "skill",
        "--data",
        str(tmp_path / "data"),
        "--sets",
        str(tmp_path / "sets"),
        "--out",
        str(tmp_path / "out"),
    ]
    done = alarmstack(tmp_path, *words, "--json", str(tmp_path / "skill.json"), check=False)
    assert done.returncode == 1 and "not evaluated: gone" in done.stderr
    assert {row["set"] for row in json.loads((tmp_path / "skill.json").read_text())} == {"rig"}
