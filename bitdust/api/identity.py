"""Who this node is, and whom it knows."""

import stat
from pathlib import Path
from typing import Any, NoReturn

from twisted.internet.defer import Deferred

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.paths import local_path
from bitdust.api.people import following
from bitdust.api.table import Param, Route, method
from bitdust.crypt.files import write_safely
from bitdust.crypt.keyfile import KeyFile, is_locked
from bitdust.key_file import RENEWALS
from bitdust.wire.errors import BitDustError

MAX_KEY_FILE = 100_000
SEARCH_SECONDS = 120.0
"""After which a call answers that the search goes on."""
IDENTITY = "{name, idurl, global_id, fingerprint, sources, contacts, date, version, revision, publickey, devices, …}"
PASSPHRASE = Param("passphrase", default=None, help="of the private key", secret=True)
JOIN = Param("join_network", Kind.FLAG, False, help="start the network services as well")
LOCK_ERRORS = ("wrong-passphrase", "too-many-tries", "not-locked", "broken-identity")
IN_HOME = "this copy is in the home itself and is lost with it: keep another one elsewhere"
WARNING = "keep this file elsewhere: without it nothing can be brought back"


@method(
    Route("GET", "/identity/get/v1", ("/i/g",)),
    params=(Param("include_xml_source", Kind.FLAG, False, help="add the signed document itself"),),
    returns=IDENTITY,
    errors=("no-identity",),
)
def identity_get(context: Context, include_xml_source: bool) -> Envelope:
    """The identity of this node. ``backup_checked`` is null until a copy of its key file was read back."""
    return _mine(context, include_xml_source)


@method(
    Route("POST", "/identity/create/v1", ("/i/c",)),
    params=(
        Param("username", help="3 to 20 of a-z 0-9 - _; it stays", example="alice"),
        Param("preferred_servers", Kind.LIST, [], help="ID servers, host:port, instead of those in the settings"),
        JOIN,
    ),
    returns=IDENTITY,
    errors=(
        "identity-exists",
        "locked",
        "bad-name",
        "bad-value",
        "name-taken",
        "network-connection-error",
        "bad-proxy",
        "proxy-refused",
        "proxy-password",
    ),
    becomes=[("id_registrator", "start")],
)
async def identity_create(
    context: Context, username: str, preferred_servers: list[str], join_network: bool
) -> Envelope:
    """Make a private key and register an identity with it at the ID servers."""
    _refuse_second(context)
    await following(context.registration.create(username, preferred_servers))
    return await _joined(context, join_network)


@method(
    Route("POST", "/identity/backup/v1", ("/i/b", "/identity/backup")),
    params=(
        Param(
            "destination_filepath",
            default="",
            help="absolute path of the new file; empty: the text is the result",
            example="/home/alice/alice.key",
        ),
        PASSPHRASE,
        Param("overwrite", Kind.FLAG, False, help="replace a file that is no older copy of this key file"),
    ),
    returns="{local_path} or {result: text of the key file}",
    errors=("no-identity", "locked", "exists", "bad-path", "bad-passphrase"),
    only_here=True,
)
def identity_backup(context: Context, destination_filepath: str, passphrase: str | None, overwrite: bool) -> Envelope:
    """Write a key file: your private key, where your identity is published, and hints for finding your suppliers
    again."""
    text = context.registration.backup(key_secret(passphrase))
    if not destination_filepath:
        return ok({"result": text}, message=WARNING)
    path = local_path(destination_filepath, "destination_filepath")
    if not (overwrite or _may_replace(context, path)):
        raise BitDustError("exists", f"{path} exists and is no key file of this identity; take another name")
    write_safely(path, text.encode(), 0o600)
    return ok({"local_path": str(path)}, message=WARNING)


@method(
    Route("POST", "/identity/backup/check/v1", ("/i/b/c",)),
    params=(
        Param(
            "source_filepath",
            default="",
            help="absolute path of the key file on the node's machine",
            example="/home/alice/alice.key",
        ),
        Param("private_key_source", default=None, help="its text, when the node cannot read it", secret=True),
        PASSPHRASE,
        Param(
            "renew",
            default="",
            help="'once': the node writes new hints into that file when all suppliers are hired; 'always': whenever"
            " they change",
        ),
    ),
    returns="{checked, fingerprint, idurls, encrypted, counts, unnamed}",
    errors=(
        "no-identity",
        "locked",
        "wrong-key",
        "passphrase-needed",
        "wrong-passphrase",
        "bad-passphrase",
        "bad-path",
        "bad-key",
        "not-a-key-file",
    ),  # fmt: skip
)
async def identity_backup_check(
    context: Context, source_filepath: str, private_key_source: str | None, passphrase: str | None, renew: str
) -> Envelope:
    """Read a key file back and compare its key with this identity's. Where it is good, and is kept outside of the home,
    the node reminds nobody of a backup any more, until pieces are at suppliers that it does not name (``unnamed``)."""
    _need_identity(context)
    if renew not in RENEWALS:
        raise BadArgument("'renew' is empty, 'once' or 'always'")
    if not (source_filepath or private_key_source):
        raise BadArgument("give 'source_filepath', 'private_key_source', or both")
    path = local_path(source_filepath, "source_filepath") if source_filepath else None
    text = private_key_source or read_key_file(source_filepath, "source_filepath")
    secret = key_secret(passphrase)
    found = await context.world.run_in_thread(KeyFile.read, text, secret)
    mine = context.me.fingerprint  # asked for after the wait: the identity may be another one by now
    if found.master.fingerprint != mine:
        text = f"this is the key file of another identity; it does not bring {context.me.global_id} back"
        raise BitDustError("wrong-key", text)
    counts = path is None or not path.resolve().is_relative_to(context.world.home.resolve())
    if counts:
        context.me.note_backup()
        context.key_file.note([hint.fingerprint for hint in found.hints.suppliers], str(path or ""), renew)
    found_out = {
        "checked": context.world.wall(),
        "fingerprint": mine.hex(),
        "idurls": [str(url) for url in found.idurls],
    }
    told = {"encrypted": is_locked(text), "counts": counts, "unnamed": context.key_file.unnamed}
    return ok(found_out | told, message=None if counts else IN_HOME)


@method(
    Route("POST", "/identity/lock/v1", ("/i/l",)),
    params=(Param("passphrase", help="8 to 1000 characters", secret=True, example="correct horse battery"),),
    returns="{locked: true}",
    errors=("no-identity", "locked", "bad-passphrase", "wrong-key"),
    only_here=True,
)
async def identity_lock(context: Context, passphrase: str) -> Envelope:
    """Keep the private keys of the home under a passphrase. The node goes on; from its next start on it waits for
    `identity_unlock`. Where they were locked before, this is the new passphrase."""
    await context.home_lock.lock(_line(passphrase))
    return ok({"locked": True}, message="remember the passphrase: without it only your key file brings you back")


@method(
    Route("POST", "/identity/unlock/v1", ("/i/u",)),
    params=(
        Param("passphrase", help="that the keys were locked with", secret=True, example="correct horse battery"),
        Param("permanently", Kind.FLAG, False, help="keep the keys without a passphrase from now on"),
    ),
    returns=IDENTITY,
    errors=LOCK_ERRORS,
    only_here=True,
)
async def identity_unlock(context: Context, passphrase: str, permanently: bool) -> Envelope:
    """Open the locked keys of the home; services that waited for them start. After a wrong passphrase the next one is
    taken after a pause that grows (``too-many-tries``, with ``seconds``)."""
    if permanently:
        await context.home_lock.remove(_line(passphrase))
    else:
        await context.home_lock.unlock(_line(passphrase))
    return _mine(context, False)


def _need_identity(context: Context) -> None:
    if not context.me.present:
        raise context.me.absence()


def _line(passphrase: str) -> str:
    """A passphrase is one line: the end of it, which files and pipes bring along, is not a part of it."""
    return passphrase.rstrip("\r\n")


def key_secret(passphrase: str | None) -> bytes | None:
    """None where there is none. An empty line is an accident, and must not leave a key without its passphrase."""
    line = _line(passphrase or "")
    if passphrase and not line:
        raise BitDustError("bad-passphrase", "the passphrase is an empty line")
    return line.encode() or None


def _may_replace(context: Context, path: Path) -> bool:
    """Nothing is there, or an earlier key file of this identity."""
    if not path.exists():
        return True
    if not path.is_file() or path.stat().st_size > MAX_KEY_FILE:
        return False
    text = path.read_bytes()
    return b"PRIVATE KEY-----" in text and any(str(url).encode() in text for url in context.me.document.sources)


@method(
    Route("POST", "/identity/recover/v1", ("/i/r",)),
    params=(
        Param("private_key_source", default=None, help="the text of the key file", secret=True),
        Param(
            "private_key_local_file",
            default=None,
            help="or its absolute path on the node's machine",
            example="/home/alice/alice.key",
        ),
        Param("known_idurl", default=None, help="where the identity is published, if the key file does not say"),
        JOIN,
        PASSPHRASE,
        Param(
            "start_over",
            Kind.FLAG,
            False,
            help="wait no longer for what has not come back: go on with what is known, begin anew where nothing is",
        ),
        Param(
            "revoke_other_devices",
            Kind.FLAG,
            False,
            help="a device was stolen: from now on nobody takes the word of any device but this one",
        ),
    ),
    returns=IDENTITY,
    errors=(
        "identity-exists",
        "identity-not-found",
        "still-searching",
        "not-recovering",
        "locked",
        "passphrase-needed",
        "wrong-passphrase",
        "bad-passphrase",
        "bad-path",
        "bad-key",
        "not-a-key-file",
        "network-connection-error",
    ),  # fmt: skip
    becomes=[("id_restorer", "start")],
)
async def identity_recover(
    context: Context,
    private_key_source: str | None,
    private_key_local_file: str | None,
    known_idurl: str | None,
    join_network: bool,
    passphrase: str | None,
    start_over: bool,
    revoke_other_devices: bool,
) -> Envelope:
    """Become who you were, from a key file alone: identity, suppliers, keys and catalog come back.

    The node asks everybody who may know something, for as long as it takes; after two minutes this call answers
    ``still-searching``, and the search goes on. Nothing is written before the newest family is known, and nobody is
    hired in place of the suppliers that there were, unless you say ``start_over``: with a key file, or later without
    one. Where nobody knew the family then, it is searched for quietly all the same (event ``former-family-found``,
    ``revision``, ``suppliers``). If the former key ring turns up, files of before come back (event
    ``former-key-ring-found``, ``files``). Where another device was stolen, say ``revoke_other_devices``; files that
    they stored come back all the same.
    """
    if start_over and context.me.present and not (private_key_source or private_key_local_file):
        return _started_over(context)
    if (private_key_source is None) == (private_key_local_file is None):
        raise BadArgument("give either 'private_key_source' or 'private_key_local_file'")
    _refuse_second(context)
    text = private_key_source or read_key_file(private_key_local_file or "", "private_key_local_file")
    secret = key_secret(passphrase)
    searching = context.registration.recover(text, secret, known_idurl, revoke_other_devices)
    if start_over:
        searching.addCallback(lambda _: context.me.start_over())
    recovering = following(searching)
    recovering.addTimeout(SEARCH_SECONDS, context.world.clock, lambda *_: _still_searching(context, searching))
    await recovering
    return await _joined(context, join_network)


def _still_searching(context: Context, searching: "Deferred[Any]") -> NoReturn:
    """Nobody waits for its end any more, whichever it is."""
    searching.addErrback(lambda _: None)
    reason = context.me.searched_because or "your identity is searched for"
    raise BitDustError("still-searching", f"{reason}; the search goes on in the node")


def _started_over(context: Context) -> Envelope:
    """The person waits no longer."""
    if not context.me.is_recovering:
        raise BitDustError("not-recovering", "nothing is waited for: family and keys of this identity are known")
    context.me.start_over()
    return _mine(context, False)


def read_key_file(name: str, parameter: str) -> str:
    path = local_path(name, parameter)
    state = path.stat()
    if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_KEY_FILE:
        raise BitDustError("bad-key", f"{path} is no key file")
    return path.read_text(errors="replace")


def _refuse_second(context: Context) -> None:
    if context.me.locked_key:
        raise context.me.absence()
    if context.me.present:
        raise BitDustError("identity-exists", f"this node is already {context.me.global_id}")


async def _joined(context: Context, join_network: bool) -> Envelope:
    if join_network and not context.driver.is_on("network"):
        await context.driver.start("network")
    return _mine(context, True, automat=context.registration.automat)


def _mine(context: Context, with_xml: bool, **extra: Any) -> Envelope:
    shown = context.me.document.as_json(context.me.addresses, with_xml)
    return ok(shown | {"backup_checked": context.me.backup_checked}, **extra)


@method(
    Route("PUT", "/identity/rotate/v1", ("/i/rot",)),
    service="identity_propagate",
    returns=f"{IDENTITY[:-1]}, old_sources, rotated}}",
    errors=("no-identity", "no-id-server", "not-registered", "network-error", "key-needed", "busy"),
    becomes=[("id_rotator", "start")],
)
async def identity_rotate(context: Context) -> Envelope:
    """Move to another ID server that is known, also while those of now are well; your name there is your first one.

    Contacts, contracts and data stay: everything goes by your fingerprint. Servers that answer stay behind the new one,
    so that your former names lead to you; one that does not is left."""
    rotated = await following(context.rotation.rotate())
    old = [str(source) for source in rotated.old.sources]
    envelope = _mine(context, False)
    envelope["result"] |= {"old_sources": old, "rotated": True}
    return envelope


@method(
    Route("DELETE", "/identity/erase/v1", ("/i/d",)),
    params=(Param("erase_private_key", Kind.FLAG, False, help="remove the keys and the catalog too, for good"),),
    returns="{removed: [path], former: folder or null, elsewhere: [sentence]}",
    errors=("no-identity",),
    becomes=[("identity_eraser", "start")],
    only_here=True,
)
async def identity_erase(context: Context, erase_private_key: bool) -> Envelope:
    """Give up the identity of this node, after stopping its services; then the node starts again without one.

    Its keys, its catalog and a key file move to a folder ``former`` in the home, from which `identity_recover` brings
    them back; with ``erase_private_key`` they are removed, and only a backup of the key file can bring anything back.
    Pieces that this node keeps for others stay. The result says what became of each thing, here and elsewhere.
    """
    erased = await context.erase_identity(erase_private_key)
    automat = erased.pop("automat", None)
    text = "the identity and its keys are erased; only a backup of the key file brings it back"
    if erased["former"] is not None:
        text = f"the identity is erased; its keys and catalog are in {erased['former']}"
    return ok(erased, message=text, automat=automat)


@method(Route("GET", "/identity/cache/list/v1", ("/i/ch/l",)), returns=f"[{IDENTITY}]")
def identity_cache_list(context: Context) -> Envelope:
    """The identities of others that this node knows, by name."""
    return listed([document.as_json() for document in context.cache.all()])
