"""Instants in query strings: with an offset, and inside what UTC can say."""

from alarmstack.services.schemas.instants import Moment

__all__ = ["Moment"]
