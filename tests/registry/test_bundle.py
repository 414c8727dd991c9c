"""A Bundle's folder: it loads as saved, damage is refused, and earlier folders load."""

import ast
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from alarmstack.alarms.drift import ReferenceDistribution
from alarmstack.core.errors import DamagedError
from alarmstack.models.contributions import explain
from alarmstack.registry import Bundle
from alarmstack.registry.manifest import MANIFEST
from alarmstack.registry.mlflow_registry import PYFUNC

STORED = Path(__file__).with_name("bundle_of_release_0_1")
"""A folder that version 0.1 wrote before Bundles moved from `registry.py` into a package."""
STORED_DIGEST = "49fc665017180bab01dff51dd65b127e2cb31e9214a127c5c330d5644510dd6d"
ROW = {"pressure": 0.75, "level": -0.3, "steam": 0.5}


def test_a_stored_folder_of_version_0_1_gives_the_same_scores_as_then() -> None:
    stored = Bundle.load(STORED, STORED_DIGEST)
    row = stored.row(ROW)
    assert stored.score(row) == pytest.approx([0.582768], abs=1e-6)
    without_level = stored.row(ROW | {"level": None})
    assert stored.score(without_level) == pytest.approx([0.594420], abs=1e-6)
    assert stored.thresholds == {"0.1": None, "operating": 0.4}
    assert stored.reference["score"].bound == 0.4
    shares = explain(stored.native_form, stored.native, stored.kind, row[0])
    assert shares.scale == "log-odds" and shares.total == pytest.approx(-0.556713, abs=1e-6)


def test_a_stored_folder_of_version_0_1_is_saved_unchanged(tmp_path: Path) -> None:
    copy = Bundle.load(STORED).save(tmp_path)
    for file in STORED.iterdir():
        assert (copy / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_folder_without_manifest_loads_and_the_log_names_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bundle: Bundle
) -> None:
    folder = bundle.save(tmp_path / "bundle")
    (folder / MANIFEST).unlink()
    caplog.set_level(logging.WARNING)
    assert Bundle.load(folder) == bundle
    assert f"{folder} has no manifest" in caplog.text


def test_the_file_that_mlflow_stores_imports_only_the_public_name_of_the_registry() -> None:
    tree = ast.parse(PYFUNC.read_text(encoding="utf-8"))
    imported = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    imported += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    own = [name for name in imported if name.startswith("alarmstack")]
    assert own == ["alarmstack.registry.Bundle"]


def test_a_bundle_with_damaged_content_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    folder = bundle.save(tmp_path / "bundle")
    (folder / "bundle.json").write_text("{")
    with pytest.raises(DamagedError, match="no complete Bundle"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    "content", ["{", "[]", "3", "[" * 100_000, '{"name": "../../x"}', "\udcff"]
)
def test_invalid_content_of_a_bundle_without_manifest_is_refused_in_one_line(
    bundle: Bundle, tmp_path: Path, content: str
) -> None:
    folder = bundle.save(tmp_path / "bundle")
    (folder / MANIFEST).unlink()
    (folder / "bundle.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DamagedError, match=r"bundle\.json") as error:
        Bundle.load(folder)
    assert "\n" not in str(error.value)


def test_reference_distributions_are_saved_with_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    reference = {"score": ReferenceDistribution((0.1, 0.2), (0.5, 0.3, 0.2), 0.4)}
    saved = replace(bundle, reference=reference).save(tmp_path)
    assert Bundle.load(saved).reference == reference
