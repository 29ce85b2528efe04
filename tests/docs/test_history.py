"""The page on history tells of the questions that there are."""

from __future__ import annotations

from pathlib import Path

from backend.contract.questions import QUESTIONS

PAGE = Path("docs/history.md").read_text("utf-8")


def test_every_question_is_told_with_what_it_answers_and_follows() -> None:
    for question in QUESTIONS:
        said = f"| {question.title} (`{question.name}`) | {question.purpose}"
        assert said in PAGE
        row = next(line for line in PAGE.splitlines() if line.startswith(said))
        assert row.endswith(f"| {' and '.join(question.filters)} |")
