"""Both container stacks really run and are tested, where no registry of images can be reached:
`make compose-test`.

`engine` is Podman with a storage of its own, `standins` the base images made from packages, `stack`
a stack that is built, started, asked and taken down again. What it stands in for is named in the
last lines.
"""

from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
__all__ = ["REPOSITORY"]
