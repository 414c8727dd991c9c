"""Reads the promises of the mission text: commands, ports, endpoints, names and files, by kind."""

import re
from collections.abc import Callable, Iterator, Mapping

Text = str
ENDINGS = "py|ipynb|csv|yml|json|sh|svelte|js|conf|txt|example"
STARTS = (
    "docker ",
    "podman",
    "curl ",
    "cp ",
    "Copy-Item ",
    "pip ",
    "make ",
    "cd ",
    "netsh ",
    "airflow ",
    "sudo ",
)


def section(text: Text, number: int) -> Text:
    """The text below a numbered heading, up to the next one."""
    match = re.search(
        rf"^{number}\. [^\n]+\n\n(?!\s+\d+\.)(.*?)(?=^{number + 1}\. [A-Z]|\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    assert match, f"section {number} was not found"
    return match[1]


def braced(names: Iterator[str]) -> Iterator[str]:
    """Names with `{1,3,6}` spelled out."""
    for name in names:
        match = re.search(r"\{([\d,]+)\}", name)
        if match is None:
            yield name
            continue
        for number in match[1].split(","):
            yield name.replace(match[0], number)


def commands(text: Text) -> Iterator[str]:
    """Command lines, without continuation lines, comments and addresses."""
    for line in text.splitlines():
        typed = re.sub(r"\s{2,}.*|\s+#.*|\s*\\$", "", line.strip())
        if typed.startswith(STARTS) and not typed.endswith((":", ".")):
            yield typed


def below(text: Text, heading: str) -> Iterator[str]:
    """First words of the lines of the table below a heading."""
    after = text.split(f"\n{heading}\n", 1)[1].split("\n\n", 1)[0].split("\n#", 1)[0]
    return (line.split()[0] for line in after.splitlines())


def services(text: Text) -> Iterator[str]:
    """Names of containers in the table and in the command that starts them."""
    listed = re.findall(r"^(?:ML Infra|Frontend) ([a-z/ -]+?) [A-Z]", text, re.MULTILINE)
    for name in " / ".join(listed).split("/"):
        if name.strip() not in ("scheduler", "worker"):
            yield name.strip()
    started = re.search(r"infra/compose\.yml up -d \\\n((?:\s+[a-z_ \\-]+\n)+)", text)
    assert started
    yield from re.findall(r"[a-z][a-z_-]+", started[1])


def files(text: Text) -> Iterator[str]:
    """Names of files in all sections, and of the folders in the tree of the last section."""
    for name in re.findall(rf"[\w{{}},./~-]*[\w*]\.(?:{ENDINGS})\b", text):
        if not name.startswith("/"):
            yield name.removeprefix("./")
    yield from re.findall(r"[│├└─ ]+ ([a-z_/]+/)(?=\s)", section(text, 10))


def host_notes(text: Text) -> Iterator[str]:
    """Headings of the section on container engines and hosts."""
    yield from re.findall(r"(?<=\n\n)([A-Z][^\n.|]{8,70}[^\n.:|])(?=\n\n)", section(text, 8))


KINDS: Mapping[str, Callable[[Text], Iterator[str]]] = {
    "make": lambda text: iter(
        re.findall(r"\bmake (?:init|up|down|logs|ps)\b(?: ENGINE=\w+)?", text)
    ),
    "commands": commands,
    "ports": lambda text: iter(
        re.findall(r"(?:localhost:|minio:|mlflow:|internal:|\bport |UI_PORT )(\d{4})\b", text)
    ),
    "endpoints": lambda text: iter(re.findall(r"(?:GET|POST|DELETE) /[\w/{}]+", text)),
    "models": lambda text: braced(iter(re.findall(r"plant_alarm_[\w{},]+\w", text))),
    "dags": lambda text: iter(
        re.findall(r"(?:dags trigger |dags/)(\w+)(?= |/|$)", text, re.MULTILINE)
    ),
    "tasks": lambda text: iter(re.findall(r"^ +\d\. (\w+) — ", section(text, 5), re.MULTILINE)),
    "variables": lambda text: iter(
        [
            *re.findall(r"(?<!')\b[A-Z][A-Z0-9]+_[A-Z0-9_]+\b", text),
            *below(text, "Variable Default Description"),
        ]
    ),
    "services": services,
    "pages": lambda text: below(text, "Page Description"),
    "scenarios": lambda text: below(text, "Scenario Description"),
    "instruments": lambda text: iter(re.findall(r"\b[a-z]{2,3}\d{5,6}(?:_pv)?\b", text)),
    "versions": lambda text: iter(
        re.findall(r"\b(?:PostgreSQL|MLflow|Airflow|Spark|Svelte) \d[\d.]*\d?", text)
    ),
    "files": files,
    "hosts": host_notes,
}


def promises(text: Text) -> dict[str, list[str]]:
    """The promises of the text by kind, each once, in the order of the text."""
    return {kind: list(dict.fromkeys(find(text))) for kind, find in KINDS.items()}
