"""The state of inference. A model that is not promoted is no fault while others are available."""

from typing import Any, Literal

import pytest

from alarmstack.services.monitor.status import Sources
from alarmstack.services.schemas.inference import (
    Assessment,
    ModelOutput,
    ModelRef,
    ModelStatus,
    Ready,
)

Status = Literal["loaded", "kept", "unpromoted", "not_promoted", "missing"]
ABOUT: dict[str, Any] = {"column": "c", "title": "t", "kind": "probability", "horizon_hours": None}


def listed(*statuses: Status) -> Ready:
    models = [
        ModelStatus(name=f"m{n}", status=status, reason=status, **ABOUT)
        for n, status in enumerate(statuses)
    ]
    return Ready(ready=True, registry="r", registry_reachable=True, reason=None, models=models)


def assessed(*statuses: Status) -> Assessment:
    reference = ModelRef(name="m", version="1")
    models = [
        ModelOutput(
            name=f"m{n}",
            model=None if status in ("missing", "not_promoted") else reference,
            not_promoted=status == "not_promoted",
            reason=status,
            **ABOUT,
        )
        for n, status in enumerate(statuses)
    ]
    return Assessment(
        timestamp=None,
        known_at=None,
        n_intervals=1,
        in_alarm_now=False,
        models=models,
        drivers=[],
        rules=[],
        quality=[],
    )


@pytest.mark.parametrize("answer", [listed, assessed])
@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (("loaded", "loaded"), "ready"),
        (("loaded", "not_promoted"), "ready"),
        (("kept", "missing"), "partial"),
        (("missing", "not_promoted"), "down"),
        (("not_promoted", "not_promoted"), "down"),
    ],
)
def test_a_model_that_is_not_promoted_is_no_fault_while_another_one_is_available(
    answer: Any, statuses: tuple[Status, ...], state: str
) -> None:
    sources = Sources()
    sources.answered(answer(*statuses))
    assert sources.inference == state
    assert (sources.inference_reason is None) is (state == "ready")
