"""Connections to where a name leads, and only to addresses that may be reached: the text of a name says nothing."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

MayReach = Callable[[str], bool]
"""Whether an address may be connected to."""


class NotReached(ConnectError):
    """All addresses of a host are ones that may not be reached; nothing was sent there."""

    def __init__(self, text: str) -> None:
        super().__init__(string=text)  # type: ignore[no-untyped-call]
        self.text = text


@implementer(IStreamClientEndpoint)
class ChoosyEndpoint:
    """Connects to those addresses of a host that may be reached; fails with `NotReached` where it has no other."""

    def __init__(self, reactor: Any, host: bytes, port: int, timeout: float, may_reach: MayReach) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout
        self._may_reach = may_reach

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803
        """Fires with the protocol."""
        choosing = _Choosing(self._reactor, self._may_reach)
        connecting = HostnameEndpoint(choosing, self._host, self._port, self._timeout).connect(protocolFactory)

        def explain(failure: Failure) -> Failure:
            if choosing.refused and not choosing.found:
                return Failure(NotReached(f"{self._host.decode()} is at {choosing.refused[0]}"))
            return failure

        return connecting.addErrback(explain)


@implementer(IReactorPluggableNameResolver, IHostnameResolver)
class _Choosing:
    """A reactor whose resolver leaves out addresses that may not be reached."""

    def __init__(self, reactor: Any, may_reach: MayReach) -> None:
        self._reactor = reactor
        self._may_reach = may_reach
        self.refused: list[str] = []
        self.found = 0

    def connectTCP(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - the interface's name
        """As the reactor does it."""
        return self._reactor.connectTCP(*args, **kwargs)

    def callLater(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - the interface's name
        """As the reactor does it."""
        return self._reactor.callLater(*args, **kwargs)

    def seconds(self) -> float:
        """By the reactor's clock."""
        return float(self._reactor.seconds())

    @property
    def nameResolver(self) -> "_Choosing":  # noqa: N802 - the interface's name
        return self

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:  # noqa: N802 - the interface's
        """Nobody replaces this one."""
        return resolver

    def resolveHostName(  # noqa: N802 - the interface's name
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """As the reactor resolves it."""
        chosen = _Chosen(self, resolutionReceiver)
        resolver: IHostnameResolver = self._reactor.nameResolver
        return resolver.resolveHostName(chosen, hostName, portNumber, addressTypes, transportSemantics)

    def chooses(self, address: str) -> bool:
        """Whether it may be connected to."""
        if self._may_reach(address):
            self.found += 1
            return True
        self.refused.append(address)
        return False


@implementer(IResolutionReceiver)
class _Chosen:
    """Passes on what may be reached."""

    def __init__(self, choosing: _Choosing, receiver: IResolutionReceiver) -> None:
        self._choosing = choosing
        self._receiver = receiver

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802 - the interface's name
        host: Any = address
        if self._choosing.chooses(host.host):
            self._receiver.addressResolved(address)

    def resolutionComplete(self) -> None:  # noqa: N802 - the interface's name
        self._receiver.resolutionComplete()
