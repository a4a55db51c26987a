"""The formats of IPFS, pure: bytes in, values out, and back. No Twisted, no files, no network.

Three floors, each of which knows only what is below it:

* **Names**: `varint`, `multibase`, `multihash`, `cid`; `naming` makes CIDs of new blocks. `keys`, `peerid` and `ipns`
  are names that stay while what they point to changes.
* **Nodes**: `dagpb`, `dagcbor`, `dagjson` are codecs of blocks; `codecs` says by the CID which of them reads a block,
  what it holds and which CIDs it links to; `car` is a file of blocks.
* **Files**: `unixfs` is what a node means; `chunking` cuts bytes (`rabin`, `buzhash`), `layout` builds the tree over
  them, `building` does both; `reading` goes back from the tree to the bytes, `editing` changes it. `directory` and
  `hamt` are about names, `changes` about one more and one less. `walking` goes over everything
  below a root, `paths` to one place there.

Nothing here holds a whole tree. Who builds gives bytes and takes blocks. Who reads asks a *cursor* (`FileReader`,
`Listing`, `Walk`) for the CIDs it wants next and gives it those blocks; a search or a change is a generator that does
the same (`steps`). Whatever decodes has limits, and raises `FormatError` alone.
"""
