"""The error tree at the top of errors.py, its `__all__` and its classes name the same errors in the same places."""

import inspect
import re

from alarmstack.core import errors


def test_the_drawn_tree_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn: list[tuple[str, str | None]] = []
    parents: list[str] = []
    for line in errors.__doc__.splitlines():
        if found := re.match(r"([│├└─ ]*)([A-Z]\w+)(?:\s{2}|$)", line):
            depth, name = len(found[1]) // 4, found[2]
            parents[depth:] = [name]
            drawn.append((name, parents[depth - 1] if depth else None))
    defined = {
        name: one.__base__.__name__ if one.__base__ is not Exception else None
        for name, one in vars(errors).items()
        if inspect.isclass(one) and issubclass(one, Exception)
    }
    assert dict(drawn) == defined
    assert sorted(errors.__all__) == sorted(defined)
