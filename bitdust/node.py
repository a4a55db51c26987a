"""The node: owns everything, starts it, and lets go of it in order."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.api.context import Context
from bitdust.api.following import Following, Watching
from bitdust.api.issued_tickets import Tickets
from bitdust.api.methods import TABLE
from bitdust.api.tally import Tally
from bitdust.assembly import Assembly
from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.config.following import SettingsFollower
from bitdust.config.home import prepare_home
from bitdust.config.settings import Settings
from bitdust.events import Event, Events
from bitdust.folders.door import ClientPort
from bitdust.identity_erasure import IdentityErasure
from bitdust.ipfs.door import RpcPort
from bitdust.peers.presence import CUSTOMER
from bitdust.services.driver import RESTING
from bitdust.signal import Signal
from bitdust.web.server import ApiServer
from bitdust.wire.errors import BitDustError
from bitdust.world import World

RESTART = 100
STOP_WITHIN = 4.0
"""Seconds for everything to stop in order; what is not done by then is done again after the next start."""
REMINDER = "there is no checked copy of your key file; without one nothing comes back: bitdust identity backup FILE"


class Node:
    """One node in a World, and the process of the API's context.

    ``ready`` is emitted when the API answers, ``stopping`` before the services stop for good, ``stopped`` when all has
    stopped or the time for it is over. ``passphrase`` is asked for at the start where the keys are locked.
    """

    log = Logger()

    def __init__(
        self, world: World, budget: Budget | None = None, passphrase: Callable[[], str | None] = lambda: None
    ) -> None:
        self._upgraded = prepare_home(world.home)
        self._passphrase = passphrase
        self.world = world
        self.settings = Settings(world.home / "config")
        self.events = Events(world.clock, world.wall, run=world.entropy(8).hex())
        self.registry = Registry(world.clock, world.wall)
        self.exit_code = 0
        self.ready: Signal[[]] = Signal()
        self.stopping: Signal[[]] = Signal()
        self.stopped: Signal[[]] = Signal()
        self._stop_asked = False
        assembly = Assembly(world, self.settings, self.events, self.registry, budget or Budget())
        self.rooms = assembly.rooms
        self.driver = assembly.driver
        self.erasure = IdentityErasure(self.rooms, self.driver, lambda: self.stop(restart=True))
        self.context = self._context()
        self.api = ApiServer(self.context, TABLE, self.rooms.around.budget)
        self.rooms.ipfs.use_port(self._ipfs_port)
        self.rooms.ipfs.use_gateway(self._ipfs_gateway)
        self.rooms.ipfs.use_stop(lambda: self.driver.stop("ipfs"))
        self.rooms.btsync.use_port(self._btsync_port)
        self._settings_follower = SettingsFollower(world.watcher, world.home / "config", self.settings)
        self._follow_settings()

    def _context(self) -> Context:
        """The node as the methods of the API see it."""
        rooms, identity = self.rooms, self.rooms.identity
        return Context(
            process=self,
            world=self.world,
            settings=self.settings,
            events=self.events,
            consumers=rooms.consumers,
            registry=self.registry,
            driver=self.driver,
            tally=Tally(self.world.clock, self.settings),
            tickets=Tickets(self.world),
            following=Following(self.registry, self.events),
            watching=Watching(self.registry),
            me=identity.me,
            home_lock=identity.home_lock,
            revocations=identity.revocations,
            registration=identity.registration,
            rotation=identity.rotation,
            key_file=rooms.key_file,
            cache=identity.cache,
            client=identity.client,
            identity_server=identity.server,
            storage=rooms.storage,
            suppliers=rooms.suppliers.view,
            hiring=rooms.suppliers.hiring,
            replacement_requests=rooms.suppliers.requests,
            spares=rooms.suppliers.spares_view,
            held_back=rooms.suppliers.held_back,
            customers=rooms.customers.view,
            readers=rooms.customers.readers,
            patrol=rooms.customers.patrol,
            retirement=rooms.customers.retirement,
            space=rooms.space,
            risk=rooms.risk,
            gateway=rooms.gateway,
            ipfs=rooms.ipfs,
            folders=rooms.folders,
            btsync=rooms.btsync,
            presence=rooms.peers.presence,
            people=rooms.people,
            shares=rooms.shares,
            groups=rooms.groups,
            companions=rooms.companions,
            router=rooms.router,
            dht=rooms.dht.node,
            seen_address=rooms.seen_address,
            table=TABLE,
        )

    def _ipfs_port(self) -> RpcPort:
        from bitdust.web.ipfs.port import IpfsPort  # noqa: PLC0415 - what is off costs nothing at the start

        most = self.rooms.around.budget.api_connections
        return IpfsPort(self.world, self.settings, most, self.rooms.ipfs.credentials)

    def _ipfs_gateway(self) -> RpcPort:
        from bitdust.web.gateway.port import GatewayPort  # noqa: PLC0415 - what is off costs nothing at the start

        return GatewayPort(self.world, self.settings, self.rooms.around.budget.api_connections)

    def _btsync_port(self) -> ClientPort:
        from bitdust.web.btsync.port import BtsyncPort  # noqa: PLC0415 - what is off costs nothing at the start

        return BtsyncPort(self.world, self.settings, self.stop, self.rooms.around.budget.api_connections)

    # the process

    def health(self) -> dict[str, Any]:
        """The process lives and its event loop turns."""
        return {}

    def stop(self, restart: bool = False) -> "Deferred[None]":
        """Stop everything, then the process; the answer to who asked is sent before."""
        if not self._stop_asked:
            self.exit_code = RESTART if restart else 0
            self._stop_asked = True
            self.world.clock.callLater(0.05, self._stop)
        return succeed(None)

    def _stop(self) -> None:
        if self.exit_code != RESTART:
            self.stopping.emit()
        deadline = self.world.clock.callLater(STOP_WITHIN, self._stopped_late)
        self.shutdown().addErrback(self._stopped_badly).addBoth(self._all_stopped, deadline)

    def _all_stopped(self, _: None, deadline: IDelayedCall) -> None:
        if deadline.active():
            deadline.cancel()
            self.stopped.emit()

    def _stopped_badly(self, failure: Failure) -> None:
        self.log.failure("the node did not stop in order", failure)

    def _stopped_late(self) -> None:
        waiting = ", ".join(
            f"{row['name']} {row['state']}" for row in self.driver.list() if row["state"] not in RESTING
        )
        self.log.warn("the node ends without waiting any longer for: {waiting}", waiting=waiting or "its API")
        self.stopped.emit()

    def erase_identity(self, erase_private_key: bool) -> "Deferred[dict[str, Any]]":
        """Stop the services, put the identity away, start the process again; fires with where everything is now."""
        return self.erasure.erase(erase_private_key)

    # life

    def start(self) -> "Deferred[None]":
        """Read the home, open the API, start the services; fires when nothing is on its way any more."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        self._tell_upgrades()
        self.load_home()
        await self._unlock()
        self._remind()
        await Deferred.fromCoroutine(self.api.start())
        self.ready.emit()
        self._settings_follower.start()
        await self.driver.start_all()

    def load_home(self) -> None:
        """Read who I am and whom I know; raises `BitDustError` that names a damaged file."""
        self.erasure.files.finish()
        self.rooms.identity.load()
        self.rooms.suppliers.load()
        self.rooms.customers.load()
        self.rooms.people.load()
        self.rooms.companions.load()
        self._watch_identity()

    def _tell_upgrades(self) -> None:
        for step in self._upgraded:
            told = {"before": step.before, "after": step.after, "what": step.what}
            self.log.info("the home went from format {before} to {after}: {what}", **told)
            self.events.send("home-upgraded", told)

    async def _unlock(self) -> None:
        """Open locked keys where this node was told a passphrase; where it is wrong, the node waits as a locked one."""
        if not self.rooms.identity.me.locked_key:
            return
        try:
            passphrase = self._passphrase()
            if passphrase is not None:
                await self.rooms.identity.home_lock.unlock(passphrase)
        except BitDustError as error:
            self.rooms.identity.me.locked_because = str(error)
            self.log.error("the keys stay locked: {why}", why=str(error))
            self.events.send("home-locked", {"reason": str(error)})

    def _remind(self) -> None:
        me = self.rooms.identity.me
        if me.present and me.backup_checked is None:
            self.events.send("backup-reminder", {"global_id": me.global_id, "text": REMINDER})

    def _watch_identity(self) -> None:
        def appeared(event: Event) -> None:
            restarting = (
                self.driver.restart("entangled_dht") if self.driver.is_enabled("entangled_dht") else succeed(None)
            )
            restarting.addBoth(lambda _: self.driver.wake_all())

        def accepted(event: Event) -> None:
            # An event is delivered later: the store may have been closed meanwhile, or the customer have left.
            store, customer = self.rooms.customers.store, bytes.fromhex(event.data["fingerprint"])
            if store.is_open and store.contract_of(customer) is not None:
                self.rooms.peers.presence.watch(customer, CUSTOMER)

        def unlocked(event: Event) -> None:
            self._remind()
            if self.driver.running:
                appeared(event)

        self.events.subscribe(appeared, "local-identity-set")
        self.events.subscribe(unlocked, "local-identity-unlocked")
        self.events.subscribe(accepted, "new-customer-accepted")
        self.events.subscribe(accepted, "existing-customer-accepted")

    def shutdown(self) -> "Deferred[None]":
        """Services first, dependents before what they need; then the API."""
        return Deferred.fromCoroutine(self._shutdown())

    async def _shutdown(self) -> None:
        self._settings_follower.stop()
        self.rooms.identity.registration.stop()
        self.rooms.identity.rotation.stop()
        await self.driver.shutdown()
        self.rooms.consumers.stop()
        self.context.watching.stop()
        await Deferred.fromCoroutine(self.api.stop())
        self.rooms.dht.close()
        self.events.stop()
        self.registry.shutdown()

    def _follow_settings(self) -> None:
        def traced(key: str, old: Any, new: Any) -> None:
            self.registry.trace_transitions = self.settings.get("logs/automat-transitions-enabled")
            self.registry.trace_events = self.settings.get("logs/automat-events-enabled")
            self.rooms.gateway.log_packets(self.settings.get("logs/packet-enabled"))

        self.settings.on_change("logs/", traced)
        traced("", None, None)
