"""What the session's embedded engine and deployed stack give a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.local.engine import Engine
from backend.settings import Settings, load_settings


@dataclass(frozen=True)
class LocalStack:
    """The template deployed on a running engine. ``environment`` points any process at it."""

    engine: Engine
    environment: Mapping[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client of one service."""
        return self.engine.client(service)

    @property
    def settings(self) -> Settings:
        """The settings that the functions and the dashboard read from ``environment``."""
        return load_settings(self.environment)
