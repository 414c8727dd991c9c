"""Settings refuse unsafe values and name the variable without showing the secret."""

import pytest

from alarmstack.core.errors import AlarmstackError, ServiceError
from alarmstack.core.settings import Settings, load_settings
from alarmstack.services.gateway import create_app

WEAK = ["change-me-in-production", "a" * 64, "0123456789abcdef", "secret" * 10]


@pytest.mark.parametrize("secret", WEAK)
@pytest.mark.parametrize("variable", ["JWT_SECRET", "ALARMSTACK_METRICS_TOKEN"])
def test_a_weak_secret_is_refused_and_not_printed(
    monkeypatch: pytest.MonkeyPatch, variable: str, secret: str
) -> None:
    monkeypatch.setenv(variable, secret)
    with pytest.raises(AlarmstackError, match=f"{variable}.*openssl rand") as caught:
        load_settings()
    assert secret not in str(caught.value)


@pytest.mark.parametrize("secret", ["", None])
def test_the_gateway_does_not_start_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    monkeypatch.delenv("JWT_SECRET", raising=False)
    if secret is not None:
        monkeypatch.setenv("JWT_SECRET", secret)
    with pytest.raises(ServiceError, match="JWT_SECRET is not set"):
        create_app(load_settings())


def test_an_unknown_registration_mode_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALARMSTACK_REGISTRATION", "maybe")
    with pytest.raises(AlarmstackError, match=r"ALARMSTACK_REGISTRATION='maybe'.*open"):
        load_settings()


def test_origins_are_separated_by_commas() -> None:
    assert Settings(public_origins="https://a.example/, http://b:8088").origins == {
        "https://a.example",
        "http://b:8088",
    }
