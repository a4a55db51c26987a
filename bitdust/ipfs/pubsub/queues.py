"""Messages that wait for somebody: so many, and so many bytes. Of a queue that is full the oldest goes."""

from collections import deque

from twisted.internet.defer import Deferred

from bitdust.ipfs.pubsub.message import TopicMessage

BESIDE = 512
"""What a message counts for beside its data."""


class Queue:
    """The last messages, in their order; ``dropped`` counts those that went unread."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: deque[TopicMessage] = deque()
        self._size = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: TopicMessage) -> None:
        """Take one, and let go of the oldest where there is no room."""
        self._waiting.append(message)
        self._size += len(message.data) + BESIDE
        while len(self._waiting) > self._most or self._size > self._most_bytes and len(self._waiting) > 1:
            self.take()
            self.dropped += 1

    def take(self) -> TopicMessage:
        """The oldest one. Raises `IndexError`."""
        message = self._waiting.popleft()
        self._size -= len(message.data) + BESIDE
        return message


class Subscription:
    """Messages of one topic for one reader."""

    def __init__(self, topic: bytes, queue: Queue) -> None:
        self.topic = topic
        self.queue = queue
        self._waiter: Deferred[None] | None = None
        self.is_open = True

    def put(self, message: TopicMessage) -> None:
        """One has come."""
        self.queue.put(message)
        self._wake()

    def end(self) -> None:
        """No more come."""
        self.is_open = False
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    async def next(self) -> TopicMessage | None:
        """The next one; None behind the end."""
        while not len(self.queue):
            if not self.is_open:
                return None
            self._waiter = Deferred()
            await self._waiter
        return self.queue.take()
