"""Stand-ins for Slack and PagerDuty: real HTTP servers on loopback that check all they get. For tests and the demo."""
