"""What the campaign's product is configured with: the demo's pace, and sources whose every sample is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ENVIRONMENT: Final = "chaos"
"""Of the counted samples, apart from the synthetic pipeline that the pages show."""
SCRAPED: Final = "job_uptime_ms"
"""What the counted target exposes: the number of the scrape."""
UPLOADED: Final = "watermark_lag_ms"
"""What the objects that are put into the bucket hold."""
EVENT_TYPE: Final = "chaos_counted"
SOURCE: Final = "chaos"
SCRAPE_SECONDS: Final = 1.0
HISTORY_DAYS: Final = 3

MAPPING: Final = f"""[[rule]]
source = "chaos_scrapes"
metric = "{SCRAPED}"
combine = "max"
hostname = "chaos-target"
labels = {{ job = "job" }}
"""


def config(dashboard_url: str, target_url: str, mapping: Path) -> str:
    """The text of ``pulseboard.toml``."""
    return f"""refresh_seconds = 5.0
hot_refresh_seconds = 2.0

[retention]
live_seconds = 900
raw_seconds = 600

[[collect]]
source = "synthetic"
interval_seconds = 5.0
leave_out = ["dlq_records"]

[[collect]]
source = "prometheus"
urls = ["{target_url}"]
mapping = "{mapping}"
interval_seconds = {SCRAPE_SECONDS}
environment = "{ENVIRONMENT}"

[events]
shards = 1

[events.types.{EVENT_TYPE}]
operator = "chaos"
fields = {{ number = "number" }}

# Storms, reminders and flapping would tell several alerts by one message, or one by several: here each is counted.
[alerts]
dashboard_url = "{dashboard_url}"
group_after = 100000
flap_count = 1000

[alerts.renotify_minutes]
critical = 1440.0
high = 1440.0

[replay]
slice_seconds = 20.0
max_replays = 1000
"""
