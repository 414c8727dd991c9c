"""The page repeats a few numbers of the server in its words; here they are compared."""

import re
from datetime import timedelta

from alarmstack.alarms.wording import LIKELY, VERY_LIKELY
from alarmstack.services.gateway.credentials import INVITATION_LIFE
from alarmstack.services.schemas.gateway import LONGEST_PASSWORD, SHORTEST_PASSWORD
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "ui/src/lib"


def number(pattern: str, path: str) -> float:
    found = re.search(pattern, (PAGE / path).read_text())
    assert found, f"{path} has no {pattern}"
    return float(found[1])


def test_a_probability_has_the_same_word_on_the_page_and_in_messages() -> None:
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
