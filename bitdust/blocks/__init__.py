"""The block store: blocks of IPFS under their multihash, what they link to, pins and named roots.

* `packs` are files to whose ends blocks are added; `database` says where each block is, and what it links to.
* One thread writes, with one commit for all who wait (`writing`); one reads blocks, one walks over many (`reading`).
* Who adds holds a `leases.Lease`: what it puts stays, whatever else is collected, until it ends.
* `references` lists links below a block; `collecting` marks what pins, roots and leases need, and removes the rest.
* `store.BlockStore` is the face of it, `room.BlocksRoom` what a node has of it while it is switched off.
"""
