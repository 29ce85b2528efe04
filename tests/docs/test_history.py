"""The page on history tells of the questions that there are, and its SQL answers as pages do."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from backend.contract.questions import QUESTIONS
from backend.contract.sketch import Sketch
from backend.local.athena.catalog import Catalog
from backend.local.athena.engine import Progress, QueryEngine

PAGE = Path("docs/history.md").read_text("utf-8")


def test_every_question_is_told_with_what_it_answers_and_follows() -> None:
    for question in QUESTIONS:
        said = f"| {question.title} (`{question.name}`) | {question.purpose}"
        assert said in PAGE
        row = next(line for line in PAGE.splitlines() if line.startswith(said))
        assert row.endswith(f"| {' and '.join(question.filters)} |")


def test_its_percentile_is_the_one_of_the_pages(tmp_path: Path) -> None:
    chance = random.Random(11)
    sketches = {"eu": Sketch(), "us": Sketch()}
    samples = []
    for place in [*sketches] * 40:
        pairs = [[chance.lognormvariate(4, 1), float(chance.randint(1, 9))] for _ in range(chance.randint(0, 6))]
        mean = sum(ms * n for ms, n in pairs) / sum(n for _, n in pairs) if pairs else chance.lognormvariate(4, 1)
        for pair in pairs or [[mean, 1.0]]:
            sketches[place].add(*pair)
        seen = "ARRAY[" + ", ".join(f"ARRAY[{ms!r}e0, {n!r}e0]" for ms, n in pairs) + "]" if pairs else "NULL"
        samples.append(f"(2026, 11, 5, 'latency_ms', {mean!r}e0, MAP(ARRAY['region'], ARRAY['{place}']), {seen})")
    blocks = [block.partition("```")[0] for block in PAGE.split("```sql\n")[1:]]
    sql = next(block for block in blocks if "p99" in block)
    columns = "year, month, day, metric_type, value, labels, observations"
    given = f"(VALUES {', '.join(samples)}) AS samples({columns})"

    engine = QueryEngine(Catalog(None), None, tmp_path)
    progress = Progress()
    with engine.connection(progress) as connection:
        prepared = engine.prepare(sql.replace("infra_monitoring_db.samples", given), None, (), connection)
        rows = engine.rows(prepared, connection, progress)

    found = {str(region): float(p99 or "nan") for region, p99 in rows}
    assert found == pytest.approx({place: sketch.quantile(0.99) for place, sketch in sketches.items()}, rel=0.01)
