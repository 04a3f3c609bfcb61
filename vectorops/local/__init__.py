"""The local target: the laptop's AWS APIs and PostgreSQL, supervised."""
