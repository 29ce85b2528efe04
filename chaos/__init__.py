"""The fault campaign: the product under load while one dependency after another fails (``docs/reliability.md``)."""
