"""`pulseboard replay`: events put through again, watched and steered; dead-letter queues; the audit log."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import click

from backend.contract.errors import InvalidInput
from backend.contract.event_query import FIELDS
from backend.contract.events import STATUSES, utc_text
from backend.contract.ranges import parse_range
from backend.contract.replays import AUDIT_OUTCOMES, CONFIRM_ABOVE, FINISHED, AuditEntry, Preview, Replay, ReplayRequest
from backend.replay.request import most_events, parse_replay_request
from pulseboard.commands.replay_dlq import dead_letters
from pulseboard.commands.replay_wiring import Wired, known, wire

WATCH_SECONDS: Final = 1.0
RESULTS_PAGE: Final = 1_000
AUDIT_COLUMNS: Final = (
    "audit_id", "at", "action", "who", "reason", "outcome", "subject", "finished_at", "details",
)  # fmt: skip


@click.group("replay")
def command() -> None:
    """Puts events through again; every action is in the audit log."""


def selection_options(function: Callable[..., None]) -> Callable[..., None]:
    """The filters of a selection as options, named as the API names them."""
    texts = {
        "status": f"One of {', '.join(STATUSES)}.",
        "error_type": "What the last try failed with, such as parse_error.",
    }
    for name in reversed(FIELDS):
        function = click.option(f"--{name.replace('_', '-')}", name, help=texts.get(name, "Only this one."))(function)
    function = click.option("--event-id", "event_ids", multiple=True, help="Single events; repeatable.")(function)
    function = click.option("--from", "start", help="From when on: now-2h, ISO 8601 with a zone, epoch.")(function)
    function = click.option("--to", "end", help="Until when; now by default.")(function)
    return click.option(
        "--time", "time_kind", type=click.Choice(["received", "occurred"]), default="received", show_default=True,
        help="Which time of the events the range means.",
    )(function)  # fmt: skip


@command.command("create")
@selection_options
@click.option("--reason", default="", help="Why; it is kept with the replay. Needed but for a dry run.")
@click.option("--target", help="Queue to send to, by name; the event processor's by default.")
@click.option("--rate", type=float, help="Events a second; 0 is without a limit. By default as pulseboard.toml says.")
@click.option("--max", "max_events", type=int, help="Send at most so many, the newest.")
@click.option("--dry-run", is_flag=True, help="Only count what matches.")
@click.option("--confirm", type=int, help=f"The number of events; needed above {CONFIRM_ABOVE}.")
@click.option("--yes", is_flag=True, help="Take the number that is counted as confirmed.")
@click.option("--watch", is_flag=True, help="Wait for the end and show the progress.")
def create(
    event_ids: tuple[str, ...],
    start: str | None,
    end: str | None,
    time_kind: str,
    reason: str,
    target: str | None,
    rate: float | None,
    max_events: int | None,
    dry_run: bool,
    confirm: int | None,
    yes: bool,
    watch: bool,
    **filters: str | None,
) -> None:
    """Sends the events again that match all filters given.

    Without --from it is the last hour; where an entity, a correlation id or ids are named, all that is kept.
    """
    wired = wire()
    given = {**filters, "event_ids": list(event_ids), "from": start, "to": end, "time": time_kind}
    selection = {name: value for name, value in given.items() if value}
    body = {
        "selection": selection, "reason": reason, "target": target, "rate_per_second": rate,
        "max_events": max_events, "confirm": confirm, "dry_run": dry_run,
    }  # fmt: skip
    request = parse_replay_request(body, time.time(), wired.settings)
    preview = wired.replays.preview(request)
    click.echo(counted(preview))
    if dry_run:
        return
    replay = wired.replays.create(_confirmed(request, preview, wired, yes=yes), wired.who())
    click.echo(f"replay {replay.replay_id} created: {replay.matched} events to {replay.target}")
    if watch:
        follow(wired, replay.replay_id)


def counted(preview: Preview) -> str:
    """A dry run in one sentence."""
    text = f"{preview.how_exact}{preview.matched} events match, received from {utc_text(preview.scanned_from)}"
    text += f" to {utc_text(preview.scanned_to)}; {preview.would_send} would be sent"
    if preview.skipped:
        text += f", {preview.skipped} skipped at the cap of replays"
    return f"{text} (cut by the maximum)" if preview.capped else text


def _confirmed(request: ReplayRequest, preview: Preview, wired: Wired, *, yes: bool) -> ReplayRequest:
    """The request with the number confirmed: by --confirm, --yes, or typed where someone sits at the terminal."""
    count = min(preview.matched, most_events(request, wired.settings))
    if count <= CONFIRM_ABOVE or request.confirm is not None:
        return request
    if yes:
        return replace(request, confirm=count)
    if not sys.stdin.isatty():
        raise InvalidInput("confirm", None, f"is needed: give --confirm {count} or --yes")
    return replace(request, confirm=click.prompt(f"Type the number of events to send again ({count})", type=int))


@command.command("status")
@click.argument("replay_id")
@click.option("--json", "as_json", is_flag=True, help="As the API answers.")
@click.option("--watch", is_flag=True, help="Wait for the end and show the progress.")
def status(replay_id: str, as_json: bool, watch: bool) -> None:
    """Says how far a replay is."""
    wired = wire()
    replay = known(wired.replays.get, replay_id)
    if watch:
        follow(wired, replay_id)
    elif as_json:
        click.echo(json.dumps(replay.as_json(), indent=2))
    else:
        click.echo(progress(replay))
        click.echo(f"{replay.kind} by {replay.requested_by} at {utc_text(replay.created_at)}: {replay.reason}")


def progress(replay: Replay) -> str:
    """A replay's state in one line."""
    text = f"{replay.status}: {replay.done} of {replay.matched} done, {replay.sent} sent"
    text += f", {replay.failed} failed, {replay.skipped} skipped"
    if replay.measured_rate is not None:
        text += f", {replay.measured_rate:.0f}/s"
    if replay.seconds_left is not None:
        text += f", {replay.seconds_left:.0f} s left"
    if replay.status not in FINISHED and replay.cancel_requested:
        text += ", being cancelled"
    return f"{text}; {replay.error}" if replay.error else text


def follow(wired: Wired, replay_id: str) -> None:
    """Prints a replay's progress as it changes until it has ended or is paused; exit code 1 unless it succeeded."""
    shown = ""
    while True:
        replay = wired.replays.get(replay_id)
        if (line := progress(replay)) != shown:
            click.echo(line)
            shown = line
        if replay.status in (*FINISHED, "paused"):
            if replay.status != "succeeded":
                raise click.exceptions.Exit(1)
            return
        time.sleep(WATCH_SECONDS)


@command.command("results")
@click.argument("replay_id")
@click.option("--outcome", type=click.Choice(["sent", "failed", "skipped"]), help="Only these.")
def results(replay_id: str, outcome: str | None) -> None:
    """Lists what became of each event: outcome, event id, message id, detail, with tabs between them."""
    wired = wire()
    known(wired.replays.get, replay_id)
    token: str | None = None
    while True:
        page, token = wired.replays.results(replay_id, token, RESULTS_PAGE)
        for result in page:
            if outcome in (None, result.outcome):
                click.echo("\t".join((result.outcome, result.event_id, result.message_id, result.detail)))
        if token is None:
            return


def _steer(name: str, help_text: str) -> None:
    @command.command(name, help=help_text)
    @click.argument("replay_id")
    @click.option("--reason", default="", help="Why; it goes into the audit log.")
    def steer(replay_id: str, reason: str) -> None:
        wired = wire()
        act = getattr(wired.replays, name)
        click.echo(progress(known(lambda wanted: act(wanted, wired.who(), reason), replay_id)))


_steer("cancel", "Ends a replay: what was sent stays sent, nothing more is.")
_steer("pause", "Holds a replay until it is resumed.")
_steer("resume", "Goes on with a paused replay.")


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As the API answers.")
def listing(limit: int, as_json: bool) -> None:
    """Lists the newest replays and redrives of the last 90 days."""
    replays = wire().replays.recent(limit)
    if as_json:
        click.echo(json.dumps([replay.as_json() for replay in replays], indent=2))
        return
    for replay in replays:
        click.echo(f"{utc_text(replay.created_at)}  {replay.replay_id}  {replay.requested_by}  {progress(replay)}")
    if not replays:
        click.echo("no replays in the last 90 days")


@command.command("audit")
@click.option("--from", "start", default="now-7d", show_default=True, help="From when on.")
@click.option("--to", "end", help="Until when; now by default.")
@click.option("--action", help="Only this one, such as replay.create.")
@click.option("--who", help="Only this person's.")
@click.option("--outcome", help=f"Only these: {', '.join(AUDIT_OUTCOMES)}.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="As CSV with a header.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def audit(
    start: str, end: str | None, action: str | None, who: str | None, outcome: str | None, limit: int,
    as_csv: bool, as_json: bool,
) -> None:  # fmt: skip
    """Shows who did what, when, why, and what came of it, the newest first."""
    wanted = parse_range(start, end, time.time())
    entries = wire().audit.entries(
        wanted.start, wanted.end, action=action, who=who, outcome=outcome, limit=limit
    )  # fmt: skip
    if as_json:
        click.echo(json.dumps([entry.as_json() for entry in entries], indent=2))
    elif as_csv:
        _write_csv(entries)
    else:
        for entry in entries:
            click.echo(f"{utc_text(entry.at)}  {entry.action}  {entry.who}  {entry.outcome}  {entry.reason}")
    if len(entries) == limit:
        click.echo(f"the newest {limit}; there may be more, see --limit", err=True)


def _write_csv(entries: tuple[AuditEntry, ...]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(AUDIT_COLUMNS)
    for entry in entries:
        row: dict[str, Any] = entry.as_json()
        row["details"] = json.dumps(row["details"])
        writer.writerow([row[name] for name in AUDIT_COLUMNS])


command.add_command(dead_letters)
