"""Alerts: from what the two topics say to what Slack, PagerDuty and mail tell people, once."""
