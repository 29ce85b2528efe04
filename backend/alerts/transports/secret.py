"""A token from Secrets Manager or, on one machine, from the environment: read once, read again when it is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.alerts.transports.base import TransportError
from backend.aws import Clients

ENVIRONMENT: Final = "env:"
"""``env:SLACK_TOKEN`` is the environment variable SLACK_TOKEN."""
_MISSING: Final = ("ResourceNotFoundException", "AccessDeniedException", "InvalidRequestException", "DecryptionFailure")


class Secret:
    """One token. It is in no message, log line or ``repr``.

    ``name`` is the secret's ARN or name, or ``env:NAME``. A secret of one key (``{"token": "..."}``, as the console
    makes them) is its value. Thread-safe: at worst two threads read it.
    """

    def __init__(self, name: str, clients: Clients, environ: Mapping[str, str]) -> None:
        self._name = name
        self._clients = clients
        self._environ = environ
        self._value = ""
        self._lock = threading.Lock()

    def value(self) -> str:
        """The token. Raises TransportError, permanent where somebody must mend the secret."""
        with self._lock:
            if not self._value:
                self._value = self._read()
            return self._value

    def changed(self) -> bool:
        """Reads it again; whether it is another one than before. Raises TransportError as ``value`` does."""
        with self._lock:
            before, self._value = self._value, self._read()
            return self._value != before

    def _read(self) -> str:
        if self._name.startswith(ENVIRONMENT):
            text = self._environ.get(self._name.removeprefix(ENVIRONMENT), "")
        else:
            text = self._fetch()
        if token := _plain(text):
            return token
        raise TransportError(f"{self._name}: the secret holds no token; put it there as plain text", permanent=True)

    def _fetch(self) -> str:
        try:
            return str(self._clients.secretsmanager.get_secret_value(SecretId=self._name).get("SecretString") or "")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise TransportError(f"{self._name}: can't be read ({code})", permanent=code in _MISSING) from error
        except BotoCoreError as error:
            name = type(error).__name__
            raise TransportError(f"{self._name}: can't be read ({name})", permanent=False) from error


def _plain(text: str) -> str:
    """The token of plain text, or of a JSON object that has one value only."""
    text = text.strip()
    if not text.startswith("{"):
        return text
    try:
        values = list(json.loads(text).values())
    except ValueError:
        return ""
    return values[0].strip() if len(values) == 1 and isinstance(values[0], str) else ""
