"""A second plant: rows of one minute, other tags, and limits of all kinds."""

from alarmstack.core.plant import Plant


def mill() -> Plant:
    """A mill with a hot bearing, an empty bin, a controlled speed and an unsteady temperature."""
    return Plant.model_validate(
        {
            "name": "mill",
            "title": "Mill",
            "timezone": "Europe/Berlin",
            "registry_prefix": "mill",
            "time": {"cadence": "1min"},
            "units": [{"key": "mill", "title": "Mill"}],
            "instruments": [
                _instrument("TB7", "°C", (0, 200)),
                _instrument("LB2", "%", (0, 100)),
                _instrument("SC9_PV", "%", (0, 100)),
            ],
            "controllers": [{"name": "SC9", "setpoint_stale_after": "10h"}],
            "labels": {
                "rules": [
                    {
                        "name": "bearing_hot",
                        "column": "TB7_max",
                        "above": 80,
                        "unit": "°C",
                        "on_delay": "20s",
                    },
                    {
                        "name": "bin_low",
                        "column": "LB2_min",
                        "below": 20,
                        "unit": "%",
                        "off_delay": "2min",
                    },
                    {
                        "name": "speed_off",
                        "column": "SC9_deviation_max",
                        "above": 5,
                        "unit": "%",
                        "absolute": True,
                    },
                    {
                        "name": "bearing_unsteady",
                        "column": "TB7_roll3min_std",
                        "above": 4,
                        "unit": "°C",
                        "deadband": 1,
                        "off_delay": "30s",
                    },
                ]
            },
            "warnings": {
                "false_alarms_per_day": 1.0,
                "on_delay": "0min",
                "off_delay": "5min",
                "minimum_on": "0min",
                "hysteresis": 1.0,
            },
        }
    )


def _instrument(tag: str, unit: str, span: tuple[float, float]) -> dict[str, object]:
    return {
        "tag": tag,
        "title": tag,
        "process_unit": "mill",
        "unit": unit,
        "range": span,
        "normal": span,
        "stale_after": "5min",
    }
