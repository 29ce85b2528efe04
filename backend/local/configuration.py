"""The running demo's ``pulseboard.toml``: noticed when somebody edits it, checked before it counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from backend.contract.errors import InvalidInput
from backend.events.plugins import processor_plugins, replay_message
from backend.settings import CONFIG_NAME, load_settings


class WatchedConfig:
    """Looks at the file. A text counts when two looks have found it: an editor may write in several steps."""

    def __init__(self, path: Path) -> None:
        """``path`` must be there."""
        self.path = path
        self._known = self._seen = path.read_text("utf-8")

    def changed(self) -> str | None:
        """The new text, once; None when there is none, or the file is away for the moment."""
        try:
            text = self.path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        settled, self._seen = text == self._seen, text
        if text == self._known or not settled:
            return None
        self._known = text
        return text


def apply_change(
    config: WatchedConfig, environment: Mapping[str, str], use: Callable[[str], None], say: Callable[[str], None]
) -> None:
    """Hands a changed and valid text to ``use`` and says so; says in one line what is wrong with any other.

    ``environment`` is that of the demo's processes. What ``use`` raises is raised.
    """
    text = config.changed()
    if text is None:
        return
    try:
        settings = load_settings(environment, config.path)
        processor_plugins(settings)
        replay_message(settings)
    except InvalidInput as error:
        say(f"{config.path} was not taken, the one before it stays: {error}")
        return
    use(text)
    say(
        f"{config.path} has changed: the functions and the API work with it from now on "
        f"(the dashboard and the agent read {CONFIG_NAME} when they start)"
    )
