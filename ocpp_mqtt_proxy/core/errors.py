"""Errors of the domain.

ProxyError
 └─ DomainError            something asked for cannot be
     ├─ UnknownCharger     no charger of that id
     └─ UnknownConnector   the charger has no such connector
"""


class ProxyError(Exception):
    """Base of every error this program raises on purpose."""


class DomainError(ProxyError):
    """Something asked for cannot be."""


class UnknownCharger(DomainError):
    """No charger of that id is known."""


class UnknownConnector(DomainError):
    """The charger has no such connector."""
