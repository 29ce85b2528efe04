from __future__ import annotations

from dashboard.components.replay import selection_words
from dashboard.html import render
from tests.dashboard.fakes import NOW


def test_a_display_reads_no_words_of_a_message_that_a_redrive_was_filtered_by() -> None:
    selection = {"queue": "event-processor-dlq", "text": "card 4711 of Ann", "error_type": "timeout"}
    assert "card 4711 of Ann" in render(selection_words(selection), NOW)
    hidden = render(selection_words(selection, hide=True), NOW)
    assert "Ann" not in hidden
    assert "error type timeout" in hidden
