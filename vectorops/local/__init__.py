"""The local target: the laptop's AWS APIs and PostgreSQL, as one background process per environment."""

from vectorops.local.control import LocalEndpoint, LocalStatus, down, endpoint, log_path, reset, status, up
from vectorops.local.folder import DatabaseRecord
from vectorops.local.roles import role_credentials

__all__ = [
    "DatabaseRecord",
    "LocalEndpoint",
    "LocalStatus",
    "down",
    "endpoint",
    "log_path",
    "reset",
    "role_credentials",
    "status",
    "up",
]
