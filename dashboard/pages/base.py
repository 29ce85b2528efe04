"""What a page is: a path, a layout without data, and a pure view that fills the layout's components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dash

from dashboard.data.request import ViewRequest
from dashboard.data.source import LIVE, Source

if TYPE_CHECKING:
    from dashboard.services import Services


@dataclass(frozen=True, slots=True)
class View:
    """One refresh of a page. ``props``: component id -> property -> JSON value or Dash component.

    ``charts``: chart id -> traces, assigned as data only so that a user's zoom survives. ``as_of`` is the epoch
    second of the newest sample behind it, None when there is no data at all.
    """

    props: Mapping[str, Mapping[str, Any]]
    as_of: float | None
    charts: Mapping[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    refresh_seconds: float | None = None
    """How soon to ask again, where this view wants another pace than the page's: a running replay is watched."""
    source: Source = LIVE
    """Where its range was read; the shell says it beside the time picker."""
    awaits: bool = False
    """Whether something else is on its way, such as an answer somebody asked for: the shell asks again until it is
    there, also while refreshing is paused or off."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``load`` reads (no AWS call it does not share), ``view`` draws (pure), ``layout`` does no I/O.

    ``refresh_seconds`` None: the configured refresh.
    """

    name: str
    path: str
    title: str
    purpose: str
    layout: Callable[[], Any]
    load: Callable[[Services, ViewRequest, float], Any]
    view: Callable[[Any, float], View]
    refresh_seconds: float | None = None
    filters: tuple[str, ...] = ()
    """The URL's filters that this page applies: ``environment``, ``range``, ``host``, ``operator``."""
    parameters: tuple[str, ...] = ()
    """The URL's parameters that are this page's own, such as ``error_type``; the page shows and removes them itself."""
    travels: tuple[str, ...] = ()
    """Those of its parameters that go along to other pages, as filters of events do from Errors to Replay."""
    tick_seconds: float | None = None
    """How long a view of this page may be shared, where that is shorter than for pages of samples: what moves by the
    second is made anew each second, by its own reader's rules."""
    calm_seconds: float = 0.0
    """How long a view of this page is shared at least: what is about days need not be made anew each few seconds."""
    by_role: bool = False
    """Whether the page looks different to operators: then ``request.role`` says who looks."""
    compares: bool = False
    """Whether the page draws the period before beside the range, where the URL asks for it."""
    styles: tuple[str, ...] = ()
    """The style sheets of ``assets/`` that its first paint needs besides the shell's; all others come after it."""
    time_charts: tuple[str, ...] = ()
    """Ids of the charts whose horizontal axis is the shown time range: they get the marks of alerts and deploys."""

    def register(self) -> None:
        """Makes the page reachable. Call it once a Dash app exists: registering on import fails without one."""
        dash.register_page(
            f"pulseboard.{self.name}", path=self.path, title=f"{self.title} · Pulseboard", layout=self._answer
        )

    def _answer(self, **_query: str) -> Any:
        """Dash passes the URL's query as keywords; a layout does not depend on it."""
        return self.layout()
