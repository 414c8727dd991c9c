"""A mistake in plant.toml gives an error with the key, the value and the correction."""

from datetime import timedelta
from pathlib import Path

import pytest

from alarmstack.core.errors import PlantError
from alarmstack.core.plant import load_plant

PLANT_FILE = Path("plants/gas_treatment/plant.toml")

MISTAKES = [
    ('title = "DEA gas', 'colour = "blue"\ntitle = "DEA gas', ["colour", "blue", "remove"]),
    ('unit = "°C"', 'unit = "furlong"', ["TE301020", "furlong", "use one of"]),
    ("normal = [102.0, 112.0]", "normal = [102.0, 212.0]", ["TE301020", "212", "range"]),
    ('tag = "PDT31007"', 'tag = "PDT31008"', ["PDT31008", "twice"]),
    ('horizons = ["1h", "3h"', 'horizons = ["90min", "3h"', ["horizons", "90min", "cadence"]),
    ('cadence = "1h"', 'cadence = "one hour"', ["cadence", "one hour", "1h"]),
    ('stride = "1h"', 'stride = "25min"', ["time.stride", "25min", "1h", "15min"]),
    ('stride = "1h"', 'stride = "2h"', ["time.stride", "2h", "does not divide"]),
    ("phases = 1", "phases = 7", ["training.phases", "7", "choose"]),
    ("phases = 1", "phases = 0", ["training.phases", "0"]),
    ('timezone = "UTC"', 'timezone = "Mars/Base"', ["Mars/Base", "IANA"]),
    ('process_unit = "d301"', 'process_unit = "d999"', ["d999", "d301"]),
    ("quantile = 0.90", "quantile = 1.9", ["quantile", "1.9"]),
    ('title = "DEA gas treatment"', "", ["title", "missing"]),
    (
        'feature = "lt301031", title',
        'feature = "lt301O31", title',
        ["lt301031", "predict_field", "lt301O31"],
    ),
    (
        "low = -40, high = 40",
        "low = 40, high = -40",
        ["lic31002_deviation", "40", "lower end first"],
    ),
    ('like = "normal"', 'like = "usual"', ["escalating_pressure", "usual", "normal"]),
    (
        "fq31050 = { value = 84.0, ramp",
        "fq31O50 = { value = 84.0, ramp",
        ["fq31O50", "escalating_pressure", "fq31050_max"],
    ),
]


@pytest.mark.parametrize(("right", "wrong", "words"), MISTAKES, ids=[w[0] for _, _, w in MISTAKES])
def test_mistakes_are_named(tmp_path: Path, right: str, wrong: str, words: list[str]) -> None:
    text = PLANT_FILE.read_text()
    assert right in text
    broken = tmp_path / "plant.toml"
    broken.write_text(text.replace(right, wrong, 1))
    with pytest.raises(PlantError) as caught:
        load_plant(broken)
    for word in words:
        assert word in str(caught.value)


def test_the_gas_plant_has_nine_instruments_that_models_use_and_sixteen_signals() -> None:
    plant = load_plant(PLANT_FILE)
    assert [i.key for i in plant.modelled] == [
        *("te301020", "pdt31008", "pdt31001", "pdt31007", "fq31050", "lt301031"),
        *("lic31012_pv", "lic31002_pv", "fic31011_pv"),
    ]
    assert len(plant.signals) == 16
    assert plant.lookback == 72


def test_models_give_one_output_for_each_cadence_by_default(tmp_path: Path) -> None:
    assert load_plant(PLANT_FILE).phases == (timedelta(0),)
    more = tmp_path / "plant.toml"
    more.write_text(PLANT_FILE.read_text().replace('stride = "1h"', 'stride = "15min"', 1))
    assert load_plant(more).phases == tuple(timedelta(minutes=m) for m in (0, 15, 30, 45))


EXTREMES = (
    '"999999999h"',
    '"99999999999999999999999999999d"',
    '"0.0000001s"',
    "0",
    "-1e308",
    "inf",
    "nan",
    '""',
    '"../../etc"',
    '"{foo} {"',
    '"two\\nlines"',
    f'"{"x" * 5000}"',
    "[]",
    "{}",
    "[inf, nan]",
    "9223372036854775808",
)
LINES = PLANT_FILE.read_text().splitlines()
KEYS = {
    line.partition(" = ")[0]: at
    for at, line in reversed(list(enumerate(LINES)))
    if " = " in line and line[0].isalpha()
}


@pytest.mark.parametrize("key", KEYS)
def test_an_extreme_value_is_accepted_or_refused_in_one_line(tmp_path: Path, key: str) -> None:
    """Well-formed TOML with senseless values gives no other error than PlantError, for any key."""
    file = tmp_path / "plant.toml"
    for value in EXTREMES:
        lines = list(LINES)
        lines[KEYS[key]] = f"{key} = {value}"
        file.write_text("\n".join(lines))
        try:
            load_plant(file)
        except PlantError as error:
            assert str(error).isprintable() and len(str(error)) < 1500, value


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ('cadence = "1h"', 'cadence = "999999999h"', ["time.cadence", "999999999h", "3660d"]),
        ('cadence = "1h"', 'cadence = "3660d"', ["cadence", "between 1s and 76d"]),
        ('cadence = "1h"', 'cadence = "0.001s"', ["cadence", "between 1s"]),
        (
            'cadence = "1h"',
            'cadence = "1s"',
            ["time.stride", "1h", "does not divide the cadence '1s'"],
        ),
        ("range = [0.0, 200.0]", "range = [-inf, inf]", ["finite"]),
        ('tag = "PDT31007"', 'tag = "../PDT31007"', ["PDT31007", "is not a name"]),
        ("header_rows = ", "header_rows = -", ["header_rows"]),
        (
            'file_pattern = "{name}.xlsx"',
            'file_pattern = "../{name}.xlsx"',
            ["file_pattern", "{name}.xlsx"],
        ),
        ('file_pattern = "{name}.xlsx"', 'file_pattern = "{tag}.xlsx"', ["file_pattern", "{name}"]),
    ],
)
def test_an_extreme_value_is_named(
    tmp_path: Path, right: str, wrong: str, words: list[str]
) -> None:
    test_mistakes_are_named(tmp_path, right, wrong, words)


@pytest.mark.parametrize(
    "content", [b"a = " + b"[" * 10_000, b"a = " + b"9" * 10_000, b"\xff\xfe", b"a = 1979-99-99"]
)
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "plant.toml"
    file.write_bytes(content)
    with pytest.raises(PlantError, match="not readable as TOML"):
        load_plant(file)


def test_a_folder_is_not_a_plant(tmp_path: Path) -> None:
    with pytest.raises(PlantError, match="cannot be read"):
        load_plant(tmp_path)
