"""Joining my document with one that another device of mine made, wherever it comes from: an ID server, any peer.

All devices come to the same document, whichever learns of which first, and none makes a new revision without need: of
two that name the same devices one goes before the other (`IdentityDocument.goes_before`), and a document that has
everything of mine is taken as it is.
"""

from bitdust.identity.devices import former, union
from bitdust.identity.document import IdentityDocument
from bitdust.identity.me import Me
from bitdust.wire.revisions import check_near


def join(me: Me, other: IdentityDocument) -> bool:
    """Take over another device's changes; True when my document is a new revision, which nobody else has yet.

    Raises `WireError` ``bad-field`` for a document that is too far ahead of mine: whoever joined one of the last number
    there is could not even shut a thief out. Where a person's devices did make it, this one has been away for so long
    that it is recovered with the key file.
    """
    mine = me.document
    if other.fingerprint != mine.fingerprint or other.is_claim or other.canonical == mine.canonical:
        return False
    hint = "; if devices of yours made it, recover this one with the key file"
    check_near(other.revision, mine.revision, "this identity", hint)
    newest = other if other.goes_before(mine) else mine
    devices = union(mine, other, me.device.public)
    if me.held_master is None:
        # Without the RSA key nothing can be joined; a device that has it will do so.
        if newest is other and other.valid_device(me.device.public):
            me.replace_document(other)
        return False
    if devices == newest.devices:
        if newest is other:
            me.replace_document(other)
        return False
    gone = former(devices, newest.revision + 1, mine, other)
    me.replace_document(me.revise(newest.sources, devices, newest.revision + 1, gone))
    return True
