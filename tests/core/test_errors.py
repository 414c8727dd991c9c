"""The tree in the docstring of errors.py, its `__all__` and its classes show the same errors."""

import inspect
import re

from alarmstack.core import errors

INDENT = 4
"""Characters that one level of the tree is indented by."""


def test_the_drawn_tree_is_the_class_tree() -> None:
    assert errors.__doc__ is not None
    drawn: list[tuple[str, str | None]] = []
    parents: list[str] = []
    for line in errors.__doc__.splitlines():
        if match := re.match(r"([│├└─ ]*)([A-Z]\w+)(?:\s{2}|$)", line):
            depth, name = len(match[1]) // INDENT, match[2]
            parents[depth:] = [name]
            drawn.append((name, parents[depth - 1] if depth else None))
    defined = {
        name: error.__bases__[0].__name__ if error.__bases__[0] is not Exception else None
        for name, error in vars(errors).items()
        if inspect.isclass(error) and issubclass(error, Exception)
    }
    assert dict(drawn) == defined
    assert sorted(errors.__all__) == sorted(defined)
