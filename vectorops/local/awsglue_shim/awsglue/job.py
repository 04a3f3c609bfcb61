"""The job run."""

from collections.abc import Mapping
from typing import Any


class Job:
    """Stands where Glue keeps bookmarks, which there are none of here."""

    def __init__(self, glue_context: Any) -> None:
        self.glue_context = glue_context
        self.name = ""

    def init(self, job_name: str, args: Mapping[str, str] | None = None) -> None:
        """Take note of the job's name."""
        self.name = job_name

    def commit(self) -> None:
        """Do nothing: there is no bookmark to move."""
