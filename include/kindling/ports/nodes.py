"""Which of several machines this is: plain, since settings are read before any library is loaded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Nodes:
    """Machines that train together, as a scheduler's environment tells each of them."""

    #: Number of this machine; the first one registers the model.
    rank: int = 0
    count: int = 1
    #: Where the first one is found.
    address: str = "127.0.0.1"
    port: int = 29500
