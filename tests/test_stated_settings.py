"""Pages state the settings of plant.toml: each expected sentence is generated from the plant."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from alarmstack.alarms.limits import deadband, limit_title, off_delay
from alarmstack.alarms.wording import LIKELY, VERY_LIKELY, percent
from alarmstack.core.plant import Plant, spaced, write_duration
from alarmstack.services.monitor.warning import OLDEST_ASSESSMENT
from tests.conftest import REPOSITORY

GUIDE, README = "docs/operator-guide.md", "README.md"
NUMBERS = {2: "two", 3: "three", 4: "four"}


def stated(plant: Plant) -> Iterator[tuple[str, str]]:
    """Each page, with a sentence that it must contain."""
    warnings = plant.warnings
    threshold = f"{percent(warnings.hysteresis)} of the threshold"
    least = _written(warnings.minimum_on)
    yield README, f"at most {warnings.false_alarms_per_day:g} false alarms a day"
    yield GUIDE, f"at most {warnings.false_alarms_per_day:g} false warnings a day"
    yield GUIDE, f"raised {_after(warnings.on_delay, 'at or above its threshold')}."
    yield (
        GUIDE,
        f"clears {_after(warnings.off_delay, f'below {threshold}')}, "
        f"but no earlier than {least} after it was raised",
    )
    yield (
        GUIDE,
        f'"Possible" is a probability below {percent(LIKELY)}, "likely" one from {percent(LIKELY)}',
    )
    yield GUIDE, f'"very likely" one from {percent(VERY_LIKELY)}'
    horizons = ", ".join(_written(one).removesuffix(" h") for one in plant.time.horizons)
    yield GUIDE, f"**Alarm within {horizons} h**"
    yield GUIDE, f"more than {NUMBERS[OLDEST_ASSESSMENT]} intervals have passed"
    for rule in plant.labels.rules:
        back, clears = deadband(plant, rule), _written(off_delay(plant, rule))
        yield GUIDE, f"| {limit_title(plant, rule)} | {back:g} {rule.unit} | {clears} |"


def _after(delay: timedelta, state: str) -> str:
    """When a warning is raised or cleared: the probability has this state for the delay."""
    if not delay:
        return f"as soon as the probability is {state}"
    return f"when the probability has been {state} for {_written(delay)}"


def _written(duration: object) -> str:
    text = spaced(write_duration(duration))  # type: ignore[arg-type]
    return "0 h" if text == "0 s" else text


def test_pages_state_the_settings_of_plant_toml(plant: Plant) -> None:
    pages = {page: " ".join((REPOSITORY / page).read_text().split()) for page in (GUIDE, README)}
    missing = [(page, sentence) for page, sentence in stated(plant) if sentence not in pages[page]]
    assert not missing


@pytest.mark.parametrize(
    "change", [{"hysteresis": 0.8}, {"minimum_on": "2h"}, {"false_alarms_per_day": 1.0}]
)
def test_another_setting_makes_the_pages_wrong(plant: Plant, change: dict[str, object]) -> None:
    warnings = type(plant.warnings).model_validate(plant.warnings.model_dump(mode="json") | change)
    pages = {page: " ".join((REPOSITORY / page).read_text().split()) for page in (GUIDE, README)}
    changed = plant.model_copy(update={"warnings": warnings})
    assert any(sentence not in pages[page] for page, sentence in stated(changed))
