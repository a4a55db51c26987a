"""Joining my document with one that another device of mine made, wherever it comes from: an ID server, any peer.

All devices come to the same document, whichever learns of which first, and none makes a new revision without need: of
two that name the same devices one goes before the other (`IdentityDocument.goes_before`), and a document that has
everything of mine is taken as it is.
"""

from bitdust.identity.devices import former, union
from bitdust.identity.document import IdentityDocument
from bitdust.identity.me import Me


def join(me: Me, other: IdentityDocument) -> bool:
    """Take over another device's changes; True when my document is a new revision, which nobody else has yet."""
    mine = me.document
    if other.fingerprint != mine.fingerprint or other.is_claim or other.canonical == mine.canonical:
        return False
    newest = other if other.goes_before(mine) else mine
    devices = union(mine, other, me.device.public)
    if devices == newest.devices:
        if newest is other:
            me.replace_document(other)
        return False
    gone = former(devices, newest.revision + 1, mine, other)
    me.replace_document(me.revise(newest.sources, devices, newest.revision + 1, gone))
    return True
