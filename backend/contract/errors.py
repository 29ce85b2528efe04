"""The one shape of "this input is wrong": what, which value, what to do about it."""

from __future__ import annotations

VALUE_LIMIT = 120


class InvalidInput(ValueError):  # noqa: N818 - reads as a statement where it is raised
    """Bad input in one line: the field, the offending value (cut at 120 characters) and the remedy.

    ``field`` and ``code`` are kept for APIs that answer ``{error: {code, message, field}}``.
    """

    def __init__(self, field: str, value: object, remedy: str, code: str = "invalid") -> None:
        text = repr(value)
        if len(text) > VALUE_LIMIT:
            text = text[:VALUE_LIMIT] + "..."
        super().__init__(f"{field}: {text} {remedy}")
        self.field = field
        self.value = value
        self.remedy = remedy
        self.code = code
