"""IPFS on this node: files and directories that become blocks, and blocks that become files again.

`adding` takes files in, `paths` finds what a path leads to, `reading` gives bytes and lists back, `room` holds all of
it together with the block store. Formats are in `bitdust.ipld`, blocks in `bitdust.blocks`; the wire is
`bitdust.web.ipfs`.
"""
