"""Secrets that two devices share and that go forward with each message: X3DH and the Double Ratchet.

=============  =====================================================================================================
module         what is in it
=============  =====================================================================================================
agreement      the first secret, agreed on with prekeys that the other device left (X3DH, revision 1 of 2016-11-04)
chains         a key for each message (The Double Ratchet Algorithm, revision 1 of 2016-11-20)
session        one session of two devices, and the few that they may have side by side
=============  =====================================================================================================

Pure functions over frozen values: nothing has changed until the caller keeps the new value.
"""
