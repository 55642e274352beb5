"""Server-sent events, line by line."""

from dataclasses import dataclass

from kindling.client.schemas import EventContent


@dataclass(frozen=True)
class Event:
    """One event; its id takes the stream up again behind it."""

    event_id: int
    kind: str
    content: EventContent


class EventReader:
    """Collects the lines of one event until the empty line that ends it."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def read(self, line: str) -> Event | None:
        """The event that this line ends; None for every other line."""
        if line:
            name, _, value = line.partition(":")
            # Without a name it is a comment, which keeps the stream alive.
            if name:
                self._fields[name] = value.removeprefix(" ")
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        return Event(
            int(fields["id"]),
            fields["event"],
            EventContent.model_validate_json(fields["data"]),
        )
