"""The texts of the screen: numbers that it repeats from the server, and words that it avoids."""

import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alarmstack.alarms.wording import LIKELY, VERY_LIKELY
from alarmstack.services.gateway.credentials import INVITATION_LIFE
from alarmstack.services.schemas.gateway import LONGEST_PASSWORD, SHORTEST_PASSWORD
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "ui/src/lib"

STRING = re.compile(r"""'[^'\n]*'|"[^"\n]*"|`[^`]*`""")
MARKUP_TEXT = re.compile(r">([^<>{}]+)[<{]")
INVISIBLE = re.compile(
    r"<style>.*?</style>|<!--.*?-->|/\*.*?\*/"  # styles and comments
    r"|^\s*//[^\n]*|^\s*import [^;]*;"  # comments and imports
    r"|\b[A-Z]\w+\['\w+'\]"  # types of fields
    r"|\$\{[^{}]*\}",  # expressions within texts
    re.S | re.M,
)

WORDS = (
    r"said|says|told|tells?|tell of|spoken|speaks?|silent",
    r"stands?|standing",
    r"asked|nothing asked",
    r"floors?|beats its",
    r"contests?",
    r"mend(ed)?|broken|warns from",
    r"usual|unlike|learnt",
    r"moments?|figures?",
    r"mainly|made from|deleted ones|of the feed|auto off",
    r"is no \w+|there is an account",
    r"beyond a limit in the last",
)
"""Words that the screen avoids, as regular expressions: metaphors, and parts of its old texts."""
REJECTED = re.compile(rf"\b({'|'.join(WORDS)})\b", re.I)


def number(pattern: str, path: str) -> float:
    match = re.search(pattern, (PAGE / path).read_text())
    assert match, f"{path} has no {pattern}"
    return float(match[1])


def test_a_probability_has_the_same_word_on_the_screen_and_in_messages() -> None:
    assert number(r" LIKELY = ([\d.]+);", "state/wording.ts") == LIKELY
    assert number(r" VERY_LIKELY = ([\d.]+);", "state/wording.ts") == VERY_LIKELY


def test_the_registration_page_states_how_long_an_invitation_is_valid() -> None:
    assert (
        timedelta(days=number(r"valid for (\d+) days", "shell/RegisterForm.svelte"))
        == INVITATION_LIFE
    )


def test_the_registration_page_states_the_length_of_passwords() -> None:
    form = "shell/RegisterForm.svelte"
    assert number(r"\((\d+) or more characters", form) == SHORTEST_PASSWORD
    assert number(r'autocomplete="new-password"[^/]*minlength="(\d+)"', form) == SHORTEST_PASSWORD
    assert number(r'autocomplete="new-password"[^/]*maxlength="(\d+)"', form) == LONGEST_PASSWORD


def texts_of(path: Path) -> list[str]:
    """The texts that a user can see: string literals and the text of the markup."""
    visible = INVISIBLE.sub("", path.read_text())
    markup = re.sub(r"<script.*?</script>", "", visible, flags=re.S)
    return [*STRING.findall(visible), *MARKUP_TEXT.findall(markup)]


def sources() -> list[Path]:
    """The sources of the screen without its tests and the generated client."""
    files = [*PAGE.parent.rglob("*.svelte"), *PAGE.parent.rglob("*.ts")]
    left_out = ("schema.d.ts", "fixtures.ts", "test-setup.ts")
    return [path for path in files if not path.name.endswith((".test.ts", *left_out))]


def test_the_screen_has_no_rejected_word() -> None:
    texts = [(path, text) for path in sources() for text in texts_of(path)]
    assert len(texts) > 1000
    rejected = [f"{path.name}: {text}" for path, text in texts if REJECTED.search(text)]
    assert rejected == []


def plant_texts(node: object) -> Iterator[str]:
    """Titles and descriptions of a plant's files, which the screen shows, at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("title", "description") and isinstance(value, str):
                yield value
            else:
                yield from plant_texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from plant_texts(value)


def test_the_titles_of_a_plant_have_no_rejected_word() -> None:
    files = sorted((REPOSITORY / "plants").rglob("*.toml"))
    texts = [
        (file.name, text) for file in files for text in plant_texts(tomllib.loads(file.read_text()))
    ]
    assert len(texts) > 20
    assert [text for text in texts if REJECTED.search(text[1])] == []


@pytest.mark.parametrize(
    "source",
    [
        "<h2>No limit is broken, no warning stands</h2>",
        "<p>\n  It beats its floor.\n</p>",
        "const note = `Warning stands since ${time}`;",
        '<button title="Last 20 of the feed">{count}</button>',
    ],
)
def test_a_rejected_word_is_noticed(source: str, tmp_path: Path) -> None:
    path = tmp_path / "Panel.svelte"
    path.write_text(f"{source}\n<p>No limit exceeded. No active warning.</p>")
    assert [bool(REJECTED.search(text)) for text in texts_of(path)].count(True) == 1
