"""`pulseboard cost`: a month in US dollars, reckoned from measured units and your prices."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from backend.contract.bill import CORE, TARGET, Bill, Load, bill, parts
from backend.contract.errors import InvalidInput
from backend.contract.units import load_units
from backend.settings import load_settings

ALWAYS = (CORE, "idle")
USUAL = ("alerts", "checks", "ratios", "canary", "history")
"""Parts that a deployment has unless somebody switches them off."""
MORE = ("orchestration", "hosting")


@click.command("cost")
@click.option("--without", multiple=True, type=click.Choice(USUAL), help="A part that is switched off.")
@click.option("--with", "more", multiple=True, type=click.Choice(MORE), help="A part that is switched on.")
@click.option("--events", type=click.FloatRange(min=0), default=0.0, help="Events a month, sent one by one.")
@click.option("--pages", type=click.FloatRange(min=0), default=0.0, help="Different pages that are open all month.")
@click.option(
    "--interval",
    type=click.FloatRange(min=60),
    default=300.0,
    show_default=True,
    help="Seconds between collections of the ten servers.",
)
@click.option("--list-price", is_flag=True, help="Without what AWS gives every account each month.")
def command(
    without: tuple[str, ...], more: tuple[str, ...], events: float, pages: float, interval: float, list_price: bool
) -> None:
    """Reckons what a month costs: ten servers with five metrics each, and what you add.

    Prices are those of pulseboard.toml; quantities were measured (docs/cost.md). Nothing is asked of AWS.
    """
    try:
        from backend.bill_docs import stack_of
        from backend.local.template import load_template
    except ModuleNotFoundError as error:
        raise InvalidInput("cost", error.name, "is not installed; run `uv sync --group demo`") from None
    prices = load_settings(os.environ).config.prices
    listed = {name: value for name, value in asdict(prices).items() if isinstance(value, float)}
    chosen = {*ALWAYS, *more, *(part for part in USUAL if part not in without)}
    chosen |= {name for name, amount in (("events", events), ("viewers", pages)) if amount}
    every = parts(stack_of(load_template()), load_units(), Load(interval, events, pages))
    _show(bill([part for part in every if part.key in chosen], listed, free=not list_price))
    click.echo(f"Prices of {prices.as_of}; {'list prices' if list_price else 'what AWS always gives is taken off'}.")


def _show(found: Bill) -> None:
    from backend.bill_docs import per, used, what

    for part, lines in found.parts:
        click.echo(f"{part.title}" + (f" ({part.switch})" if part.switch else ""))
        for line in lines:
            if line.amount:
                price = f"{line.price:.8g} per {per(line)}"
                click.echo(f"  {what(line):40} {used(line):>26}  {price:32} {line.dollars:8.2f}")
        click.echo(f"  {'':102} {found.dollars[part.key]:8.2f}")
    click.echo(f"{'A month in US dollars':104} {found.total:8.2f}")
    if found.dollars[CORE] > TARGET:
        click.echo(f"The core is above its target of {TARGET:.0f}: look at its largest lines.")
