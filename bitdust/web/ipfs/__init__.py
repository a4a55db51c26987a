"""The dialect of IPFS: its HTTP RPC API, `/api/v0`, as version 0.6 of the daemon of that project speaks it."""
