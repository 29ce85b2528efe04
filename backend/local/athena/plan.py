"""Which columns and which rows each table of a query is asked for: what pruning and the scanned bytes follow from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope, traverse_scope
from sqlglot.schema import MappingSchema

from backend.local.athena.catalog import Table
from backend.local.athena.predicates import conjuncts

PATH: Final = "$path"
"""Hidden column of every table: the object a row came from."""
HIDDEN: Final = {PATH: "varchar", "$file_size": "bigint"}


@dataclass(slots=True)
class Scan:
    """One reference to a table: ``columns`` that are needed and the ``predicate`` that rows must satisfy to matter.

    ``predicate`` None: every row may matter. ``used`` False: the query says its name and needs none of its rows.
    """

    name: str
    table: Table
    columns: frozenset[str] = frozenset()
    predicate: exp.Expr | None = None
    used: bool = False
    wanted: list[exp.Expr | None] = field(default_factory=list)


def qualified(tree: exp.Query, scans: Mapping[str, Scan]) -> exp.Query:
    """The query with every column named by its table, stars written out, and types known.

    Its tables are named as the keys of ``scans``. Raises OptimizeError for a column that is not there.
    """
    everything = {name: {**_types(scan.table), **HIDDEN} for name, scan in scans.items()}
    visible = {name: list(_types(scan.table)) for name, scan in scans.items()}
    schema = MappingSchema(everything, visible=visible, dialect="trino")
    named = qualify(tree.copy(), schema=schema, dialect="trino", expand_alias_refs=False)
    return annotate_types(named, schema=schema, dialect="trino")


def plan(tree: exp.Query, scans: Mapping[str, Scan]) -> None:
    """Fills ``columns`` and ``predicate`` of each scan from a ``qualified`` query."""
    for scan in scans.values():
        scan.columns, scan.wanted, scan.used = frozenset(), [], False
    slim = pushdown_projections(tree.copy())
    for scope in traverse_scope(slim):
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table) and (found := scans.get(source.name)):
                found.columns |= {column.name for column in scope.source_columns(alias)}
                found.used = True
    _Asked(scans).query(build_scope(tree), [])
    for scan in scans.values():
        scan.predicate = _any_of(scan.wanted)


def plan_without_names(scans: Mapping[str, Scan]) -> None:
    """Every column and every row, for a query whose names could not be resolved."""
    for scan in scans.values():
        scan.columns = frozenset(_types(scan.table)) | frozenset(HIDDEN)
        scan.predicate, scan.used = None, True


def _types(table: Table) -> dict[str, str]:
    return {
        column.name: exp.DataType.build(column.hive_type, dialect="hive").sql("trino")
        for column in (*table.columns, *table.keys)
    }


def _any_of(wanted: Sequence[exp.Expr | None]) -> exp.Expr | None:
    """One table that is read for several reasons: rows matter when they do for one of them."""
    known = [condition for condition in wanted if condition is not None]
    return exp.or_(*known) if known and len(known) == len(wanted) else None


class _Asked:
    """Carries conditions from a query down to the tables below it."""

    def __init__(self, scans: Mapping[str, Scan]) -> None:
        self._scans = scans

    def query(self, scope: Scope | None, outer: list[exp.Expr]) -> None:
        """``outer``: conditions on the query's output columns that every reader of it applies."""
        if scope is None:
            return
        if isinstance(scope.expression, exp.SetOperation):
            self._set_operation(scope, outer)
            return
        select = scope.expression
        if not isinstance(select, exp.Select):
            return
        here = conjuncts(select.args["where"].this) if select.args.get("where") else []
        here = [*here, *_through(select, outer)]
        self._sources(scope, select, here)
        for other in scope.subquery_scopes:
            self.query(other, [])

    def _set_operation(self, scope: Scope, outer: list[exp.Expr]) -> None:
        names = scope.expression.named_selects
        limited = scope.expression.args.get("limit") or scope.expression.args.get("offset")
        for side in scope.set_operation_scopes:
            renamed = dict(zip(names, side.expression.named_selects, strict=False))
            self.query(side, [] if limited else [_renamed(condition, renamed) for condition in outer])
        for other in scope.cte_scopes:
            self.query(other, [])

    def _sources(self, scope: Scope, select: exp.Select, here: list[exp.Expr]) -> None:
        joins = select.args.get("joins") or []
        sides = {join.side for join in joins}
        reached: set[int] = set()
        for alias, (node, source) in scope.selected_sources.items():
            mine = [*here, *_inner_conditions(joins)] if not sides & {"RIGHT", "FULL"} else []
            join = node.find_ancestor(exp.Join, exp.Select)
            if isinstance(join, exp.Join) and join.side == "LEFT":
                on = conjuncts(join.args.get("on"))
                mine = [*on, *_transferred(mine, on, alias)]
            about = [condition for condition in mine if _only_about(condition, alias)]
            if isinstance(source, Scope):
                reached.add(id(source))
                # A query that is read twice must not lose rows that only the other reader wants.
                shared = source.is_cte and _times_read(source, scope) != 1
                self.query(source, [] if shared else about)
            elif isinstance(source, exp.Table) and (scan := self._scans.get(source.name)):
                scan.wanted.append(exp.and_(*about) if about else None)
        for other in (*scope.cte_scopes, *scope.derived_table_scopes, *scope.udtf_scopes):
            if id(other) not in reached and not other.is_cte:
                self.query(other, [])


def _times_read(source: Scope, reader: Scope) -> int:
    """How often a common table expression is read, anywhere in the statement."""
    top = reader
    while top.parent is not None:
        top = top.parent
    return sum(1 for scope in top.traverse() for _, found in scope.selected_sources.values() if found is source)


def _inner_conditions(joins: Sequence[exp.Join]) -> list[exp.Expr]:
    return [part for join in joins if join.side == "" for part in conjuncts(join.args.get("on"))]


def _only_about(condition: exp.Expr, alias: str) -> bool:
    tables = {column.table for column in condition.find_all(exp.Column)}
    return tables == {alias}


def _transferred(conditions: Sequence[exp.Expr], on: Sequence[exp.Expr], alias: str) -> list[exp.Expr]:
    """Conditions on columns that ON says are equal to some of ``alias``, as conditions on these: what fails them would
    meet only rows that are left out."""
    equal = {
        (here.table, here.name): there
        for part in on
        if isinstance(part, exp.EQ)
        for here, there in ((part.left, part.right), (part.right, part.left))
        if isinstance(here, exp.Column) and isinstance(there, exp.Column) and there.table == alias != here.table
    }
    return [
        condition.transform(lambda node: equal[_key(node)].copy() if isinstance(node, exp.Column) else node)
        for condition in conditions
        if (columns := list(condition.find_all(exp.Column))) and all(_key(column) in equal for column in columns)
    ]


def _key(column: exp.Column) -> tuple[str, str]:
    return column.table, column.name


def _renamed(condition: exp.Expr, names: Mapping[str, str]) -> exp.Expr:
    return condition.transform(
        lambda node: exp.column(names.get(node.name, node.name)) if isinstance(node, exp.Column) else node
    )


def _through(select: exp.Select, outer: list[exp.Expr]) -> list[exp.Expr]:
    """Conditions on the output of ``select`` as conditions on its rows, where that means the same."""
    group = select.args.get("group")
    if select.args.get("limit") or select.args.get("offset") or (group and _has_sets(group)):
        return []
    made = {projection.alias_or_name: projection.unalias() for projection in select.selects}
    carried = []
    for condition in outer:
        parts = [made.get(column.name) for column in condition.find_all(exp.Column)]
        if all(part is not None and not part.find(exp.AggFunc, exp.Window, exp.Query) for part in parts):
            carried.append(_substituted(condition, made))
    # A window would lose rows that the condition removes after it, unless it removes whole partitions.
    whole = _partitioned_by(select)
    return [one for one in carried if whole is None or {_key(column) for column in one.find_all(exp.Column)} <= whole]


def _partitioned_by(select: exp.Select) -> set[tuple[str, str]] | None:
    """The columns that each window of ``select`` is partitioned by; None where it has none."""
    windows = [window for window in select.find_all(exp.Window) if window.find_ancestor(exp.Select) is select]
    columns = [
        {_key(part) for part in window.args.get("partition_by") or () if isinstance(part, exp.Column)}
        for window in windows
    ]
    return set.intersection(*columns) if columns else None


def _substituted(condition: exp.Expr, made: Mapping[str, exp.Expr]) -> exp.Expr:
    return condition.transform(lambda node: exp.paren(made[node.name].copy()) if isinstance(node, exp.Column) else node)


def _has_sets(group: exp.Expr) -> bool:
    return group.find(exp.GroupingSets, exp.Cube, exp.Rollup) is not None
