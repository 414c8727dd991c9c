"""Build, run and test both container stacks without an image registry: `make compose-test`.

`engine` is Podman with its own storage. `standins` makes replacements of the official base images
from packages. `stack` builds, starts, queries and removes a stack. The end of the output lists what
was replaced and what was not run.
"""

from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
__all__ = ["REPOSITORY"]
