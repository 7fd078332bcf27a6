"""The one error a user may meet: what is wrong, where, and what to do."""

from __future__ import annotations

from typing import Literal

Category = Literal["bad_input", "out_of_memory", "device", "missing_dependency", "cancelled", "internal"]

EXIT_CODES: dict[str, int] = {
    "bad_input": 2,
    "device": 2,
    "missing_dependency": 2,
    "cancelled": 3,
    "out_of_memory": 4,
    "internal": 1,
}


class StructDiffError(Exception):
    """A refusal in one line: the fact (what and where) and the remedy (what to do).

    ``category`` is one of the job protocol's categories and decides the exit code.
    """

    def __init__(self, fact: str, remedy: str = "", category: Category = "bad_input") -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy
        self.category: Category = category

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.category]

    def __str__(self) -> str:
        return f"{self.fact}; {self.remedy}" if self.remedy else self.fact
