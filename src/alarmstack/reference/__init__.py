"""Pages of docs/ that are generated from the code. `make docs` writes them, and a test compares.

In: settings, OpenAPI documents, the plant and the catalogue. Out: Markdown. It imports
`services` and the layers below.
"""

from alarmstack.reference.pages import PAGES

__all__ = ["PAGES"]
