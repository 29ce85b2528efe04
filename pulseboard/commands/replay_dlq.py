"""`pulseboard replay dlq`: what could not be processed; look, send back, delete."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

import click

from backend.contract.errors import InvalidInput
from backend.contract.events import utc_text
from backend.contract.replays import DeadLetter, DeadLetterFilter
from pulseboard.commands.replay_wiring import wire

SHOWN: Final = 120
"""Characters of a body in a line."""


@click.group("dlq")
def dead_letters() -> None:
    """Dead-letter queues: event-processor-dlq, log-processor-dlq and alert-consumer-dlq."""


def filter_options(function: Callable[..., None]) -> Callable[..., None]:
    """The filters of messages as options."""
    function = click.option("--message-id", "message_ids", multiple=True, help="Single messages; repeatable.")(function)
    function = click.option("--text", help="Messages whose body has this text.")(function)
    for name in ("operator", "entity_id", "event_type", "error_type"):
        function = click.option(f"--{name.replace('_', '-')}", name, help="Only this one.")(function)
    return function


@dead_letters.command("list")
def queues() -> None:
    """Says how full the queues are."""
    for queue in wire().letters.queues():
        if queue.problem:
            click.echo(f"{queue.name}: {queue.problem}")
            continue
        age = "" if queue.oldest_age_seconds is None else f", the oldest {queue.oldest_age_seconds:.0f} s old"
        click.echo(f"{queue.name}: about {queue.depth} messages, {queue.in_flight} being looked at{age}")


@dead_letters.command("show")
@click.argument("queue")
@filter_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the whole bodies.")
def show(queue: str, as_json: bool, message_ids: tuple[str, ...], **filters: str | None) -> None:
    """Shows a sample of a queue, the newest first. Each look counts as a receive of the messages seen."""
    listing = wire().letters.listing(queue, DeadLetterFilter(message_ids=message_ids, **filters))
    for letter in listing.messages:
        click.echo(json.dumps(asdict(letter)) if as_json else line_of(letter))
    click.echo(f"{len(listing.messages)} shown; {listing.seen} of about {listing.about} were looked at", err=True)


def line_of(letter: DeadLetter) -> str:
    """One message in a line; a body is shown escaped, whatever is in it."""
    what = f"{letter.error_type} {letter.event_type} {letter.entity_id}".strip() or json.dumps(letter.body)[:SHOWN]
    return f"{utc_text(letter.sent_at)}  {letter.message_id}  {what}"


@dead_letters.command("redrive")
@click.argument("queue")
@filter_options
@click.option("--all", "everything", is_flag=True, help="All that is there now; needed where no filter is given.")
@click.option("--reason", required=True, help="Why; it is kept with the redrive.")
@click.option("--rate", type=float, help="Messages a second; without a limit by default.")
@click.option("--watch", is_flag=True, help="Wait for the end and show the progress.")
def redrive(
    queue: str, message_ids: tuple[str, ...], everything: bool, reason: str, rate: float | None, watch: bool,
    **filters: str | None,
) -> None:  # fmt: skip
    """Sends messages back to the queue they come from. What no filter takes stays where it is."""
    from pulseboard.commands.replay import follow

    wanted = DeadLetterFilter(message_ids=message_ids, **filters)
    if everything == (wanted != DeadLetterFilter()):
        raise InvalidInput("all", everything, "give either filters or --all")
    wired = wire()
    replay = wired.letters.redrive(queue, wanted, wired.who(), reason, rate)
    click.echo(f"redrive {replay.replay_id} created: about {replay.matched} messages of {queue} to be looked at")
    if watch:
        follow(wired, replay.replay_id)


@dead_letters.command("delete")
@click.argument("queue")
@click.option("--message-id", "message_ids", multiple=True, required=True, help="The messages; repeatable.")
@click.option("--reason", required=True, help="Why; it goes into the audit log with the bodies.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(queue: str, message_ids: tuple[str, ...], reason: str, yes: bool) -> None:
    """Deletes messages for good; the exit code is 1 when some were not found."""
    if not yes:
        click.confirm(f"Delete {len(message_ids)} messages of {queue} for good?", abort=True)
    wired = wire()
    deleted = wired.letters.delete(queue, message_ids, wired.who(), reason)
    click.echo(f"{deleted} of {len(set(message_ids))} messages deleted")
    if deleted < len(set(message_ids)):
        raise click.exceptions.Exit(1)
