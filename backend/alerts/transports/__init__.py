"""Who tells people: one module a service, all behind ``base.Transport``."""
