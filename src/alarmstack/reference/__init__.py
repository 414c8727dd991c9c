"""Pages of docs/ that are written from the code and cannot say anything else: `make docs` writes
them, a test compares.
"""

from alarmstack.reference.pages import PAGES

__all__ = ["PAGES"]
