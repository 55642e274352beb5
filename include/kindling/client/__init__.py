"""A typed client of the endpoint: `Client` for scripts and tests, `AsyncClient` for services."""

from kindling.client.calls import ApiError
from kindling.client.http import AsyncClient, Client

__all__ = ["ApiError", "AsyncClient", "Client"]
