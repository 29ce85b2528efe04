"""What kind of statement a text is, by its first words, and the parts of those that are no queries."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_COMMENTS: Final = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_NAME: Final = r'(?:"[^"]+"|`[^`]+`|\w+)'
_TABLE: Final = rf"(?P<table>{_NAME}(?:\.{_NAME}){{0,2}})"


@dataclass(frozen=True, slots=True)
class Statement:
    """``kind`` is Athena's SubstatementType, ``type`` its StatementType; ``parts`` what the text names."""

    kind: str
    type: str
    parts: dict[str, str | None] = field(default_factory=dict)


def _rule(kind: str, type_: str, pattern: str) -> tuple[str, str, re.Pattern[str]]:
    return kind, type_, re.compile(pattern.replace(" ", r"\s+") + r"\s*;?\s*\Z", re.IGNORECASE | re.DOTALL)


_RULES: Final = (
    _rule("EXPLAIN", "UTILITY", r"EXPLAIN (?:\((?P<options>[^)]*)\)\s*)?(?P<query>(?:SELECT|WITH)\b.*)"),
    _rule("UNLOAD", "DML", r"UNLOAD\s*\((?P<query>.*)\)\s*TO '(?P<location>[^']+)'(?:\s*WITH\s*\((?P<options>.*)\))?"),
    _rule("PREPARE", "DDL", rf"PREPARE (?P<name>{_NAME}) FROM (?P<query>.*)"),
    _rule("EXECUTE", "DML", rf"EXECUTE (?P<name>{_NAME})(?: USING (?P<values>.*))?"),
    _rule("DEALLOCATE_PREPARE", "DDL", rf"DEALLOCATE PREPARE (?P<name>{_NAME})"),
    _rule("CREATE_VIEW", "DDL", rf"CREATE (?P<replace>OR REPLACE )?VIEW {_TABLE} AS (?P<query>.*)"),
    _rule("DROP_VIEW", "DDL", rf"DROP VIEW (?P<exists>IF EXISTS )?{_TABLE}"),
    _rule(
        "INSERT", "DML", rf"INSERT INTO {_TABLE}\s*(?P<columns>\([^()]*\)\s*)?(?P<query>(?:SELECT|WITH|VALUES|\().*)"
    ),
    _rule("SHOW_DATABASES", "UTILITY", r"SHOW (?:DATABASES|SCHEMAS)(?: LIKE '(?P<like>[^']*)')?"),
    _rule("SHOW_TABLES", "UTILITY", rf"SHOW TABLES(?: IN (?P<table>{_NAME}))?(?: (?:LIKE )?'(?P<like>[^']*)')?"),
    _rule("SHOW_VIEWS", "UTILITY", rf"SHOW VIEWS(?: IN (?P<table>{_NAME}))?(?: LIKE '(?P<like>[^']*)')?"),
    _rule("SHOW_PARTITIONS", "UTILITY", rf"SHOW PARTITIONS {_TABLE}"),
    _rule("SHOW_COLUMNS", "UTILITY", rf"SHOW COLUMNS (?:IN|FROM) {_TABLE}(?: (?:IN|FROM) (?P<database>{_NAME}))?"),
    _rule("DESCRIBE_TABLE", "UTILITY", rf"DESC(?:RIBE)?(?: (?:EXTENDED|FORMATTED))? {_TABLE}"),
)
_DDL: Final = ("ALTER", "CREATE", "DROP", "MSCK", "DEALLOCATE", "PREPARE")
_DML: Final = ("MERGE", "UPDATE", "DELETE", "OPTIMIZE", "VACUUM", "INSERT", "UNLOAD", "EXECUTE")
_UTILITY: Final = ("SHOW", "DESCRIBE", "EXPLAIN")


def classify(sql: str) -> Statement:
    """The statement's kind. A kind beginning with ``OTHER`` is not served; bad SQL counts as SELECT."""
    text = _COMMENTS.sub("", sql, count=1)
    for kind, type_, pattern in _RULES:
        if found := pattern.match(text):
            return Statement(kind, type_, found.groupdict())
    word = (text.split(maxsplit=1) or [""])[0].upper()
    if word in _DDL:
        return Statement("OTHER", "DDL", {"word": word})
    if word in _DML:
        return Statement("OTHER", "DML", {"word": word})
    if word in _UTILITY:
        return Statement("OTHER", "UTILITY", {"word": word})
    return Statement("SELECT", "DML")


def name_parts(text: str) -> list[str]:
    """``db."table"`` as its parts, in lower case."""
    return [part.strip('"`').lower() for part in re.findall(_NAME, text)]


def options_of(text: str | None) -> dict[str, str]:
    """``format = 'PARQUET', compression = 'ZSTD'`` by name, both in lower case. Arrays are left out."""
    return {name.lower(): value.lower() for name, value in re.findall(r"(\w+)\s*=\s*'([^']*)'", text or "")}
