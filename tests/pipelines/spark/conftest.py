"""Settings of the JVMs that the tests of Spark start."""

from collections.abc import Iterator

import pytest

SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""A JVM that runs for a minute spends half its time on optimisation and garbage collection."""


@pytest.fixture(scope="module", autouse=True)
def short_lived_jvms() -> Iterator[None]:
    """Masters, workers, drivers and executors all read this variable."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JDK_JAVA_OPTIONS", SHORT_LIVED)
        yield
