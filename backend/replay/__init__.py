"""Replays of events, dead-letter queues and redrives: selection, runner, records."""
