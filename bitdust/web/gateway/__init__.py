"""The gateway of IPFS: content by `GET /ipfs/CID/path` and `GET /ipns/NAME/path`, for browsers and for ``curl``.

`dialect` lets a request in and answers it, `asking` reads what is asked for, `ranges` which bytes of it, `serving`
finds it and makes the reply, `kinds` tells what a file is, `pages` writes lists of directories. Source: the
specification of path gateways of IPFS (specs.ipfs.tech/http-gateways), and RFC 9110 for conditions and ranges.
"""
