"""What tests of all rooms share: settings, events and answers that live in memory."""

from attrs import frozen


class Settings:
    """Typed values with watchers."""

    def __init__(self, values: dict) -> None:
        self.values = dict(values)
        self.watchers: list[tuple] = []

    def get(self, key):
        return self.values[key]

    def set(self, key, value) -> None:
        old, self.values[key] = self.values[key], value
        for prefix, watcher in list(self.watchers):
            if key.startswith(prefix):
                watcher(key, old, value)

    def on_change(self, prefix, watcher):
        entry = (prefix, watcher)
        self.watchers.append(entry)
        return lambda: self.watchers.remove(entry)


class Events:
    """What was sent, in order."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict]] = []

    def send(self, event, data=None) -> int:
        self.sent.append((event, data or {}))
        return len(self.sent)

    def names(self) -> list[str]:
        return [event for event, _ in self.sent]


@frozen
class Reply:
    """An answer to a packet."""

    fields: dict
    payload: bytes = b""
