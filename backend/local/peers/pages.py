"""What people see of the stand-ins: plain HTML that renews itself. All that came from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

SHOWN: Final = 100
_STYLE: Final = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.2rem } h2 { font-size: 1rem; margin-top: 2rem }
.note { border: 2px dashed; border-radius: .5rem; padding: .4rem .8rem }
article { border: 1px solid #8886; border-left: .3rem solid #8888; border-radius: .5rem; padding: .6rem .9rem;
  margin: .8rem 0 }
article article { margin-left: 1rem; border-left-width: .15rem } header { font-weight: 600 }
time, small { opacity: .75; font-size: .85rem } p { white-space: pre-wrap; margin: .4rem 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .4rem 0 }
dt { font-weight: 600 } dd, dd p { margin: 0 } a { margin-right: 1rem }
"""


def slack_page(channels: Mapping[str, str], messages: Sequence[Mapping[str, Any]]) -> str:
    """Each channel with its newest messages first, threads below them."""
    parts = []
    for key, name in channels.items():
        roots = [m for m in messages if m["channel"] == key and "thread_ts" not in m]
        parts.append(f"<h2># {escape(name)}</h2>")
        parts += [_message(root, messages) for root in reversed(roots[-SHOWN:])]
        parts.append(_count(len(roots), "message"))
    return _page("Slack", "".join(parts))


def pagerduty_page(incidents: Sequence[Mapping[str, Any]]) -> str:
    """The newest incidents first, with what happened to each."""
    shown = "".join(_incident(incident) for incident in reversed(incidents[-SHOWN:]))
    return _page("PagerDuty", f"<h2>Incidents</h2>{shown}{_count(len(incidents), 'incident')}")


def _message(message: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> str:
    replies = [m for m in messages if m["channel"] == message["channel"] and m.get("thread_ts") == message["ts"]]
    edits = f" · changed {message['edits']} time{'' if message['edits'] == 1 else 's'}" if message["edits"] else ""
    blocks = message.get("blocks")
    body = "".join(_block(block) for block in blocks) if blocks else f"<p>{escape(message.get('text', ''))}</p>"
    return (
        f"<article data-ts='{escape(message['ts'])}'><time>{_moment(float(message['ts']))}{edits}"
        f"{' · also sent to the channel' if message['broadcast'] else ''}</time>{body}"
        f"{''.join(_message(reply, ()) for reply in replies)}</article>"
    )


def _block(block: Mapping[str, Any]) -> str:
    kind, text = block.get("type"), _text(block.get("text"))
    if kind == "header":
        return f"<header>{text}</header>"
    if kind == "context":
        return f"<p><small>{' '.join(_text(element) for element in block['elements'])}</small></p>"
    if kind == "actions":
        return f"<p>{''.join(_link(_text(e.get('text')), e.get('url')) for e in block['elements'])}</p>"
    fields = block.get("fields") or []
    pairs = zip(fields[::2], fields[1::2], strict=False)
    table = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in pairs)
    return (f"<p>{text}</p>" if text else "") + (f"<dl>{table}</dl>" if table else "")


def _incident(incident: Mapping[str, Any]) -> str:
    payload = incident.get("payload") or {}
    details = "".join(
        f"<dt>{escape(str(name))}</dt><dd><p>{escape(str(value))}</p></dd>"
        for name, value in (payload.get("custom_details") or {}).items()
    )
    links = "".join(_link(escape(str(link.get("text"))), link.get("href")) for link in incident.get("links") or [])
    story = " · ".join(f"{escape(event['event_action'])} {_moment(event['at'])}" for event in incident["events"])
    shape = {"triggered": "▲", "acknowledged": "◐", "resolved": "✓"}[incident["status"]]
    return (
        f"<article><header>{shape} {incident['status']} · {escape(str(payload.get('severity')))} · "
        f"#{incident['number']} {escape(str(payload.get('summary')))}</header><dl>{details}</dl><p>{links}</p>"
        f"<small>{story}<br>dedup_key {escape(incident['dedup_key'])}</small></article>"
    )


def _page(service: str, body: str) -> str:
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta http-equiv='refresh' content='5'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{service} (stand-in)</title><style>{_STYLE}</style></head><body><h1>{service} (stand-in)</h1>"
        f"<p class='note'>This is not {service}. It shows what {service} would have been told, and keeps it only "
        f"while it runs.</p>{body}</body></html>"
    )


def _count(number: int, what: str) -> str:
    if not number:
        return f"<p>No {what} yet.</p>"
    return f"<p>The newest {SHOWN} of {number:,}.</p>" if number > SHOWN else ""


def _text(value: Any) -> str:
    """A text object; marked-up text is shown without its asterisks and entities, not rendered."""
    if not isinstance(value, Mapping):
        return ""
    text = str(value.get("text", ""))
    return escape(text.strip("*")) if value.get("type") == "mrkdwn" else escape(text)


def _link(title: str, url: object) -> str:
    target = str(url or "")
    if not target.startswith(("http://", "https://")):
        return ""
    return f"<a href='{escape(target, quote=True)}' rel='noopener noreferrer'>{title}</a>"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
