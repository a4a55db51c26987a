"""Write what is wrong with each method of the reference, as JSON, and the version of the client that found it."""

import json
import sys
import warnings

import ipfshttpclient
from attrs import asdict

from tests.ipfs_seed.running import run

warnings.simplefilter("ignore")
port = int(sys.argv[1])
with ipfshttpclient.connect(f"/ip4/127.0.0.1/tcp/{port}/http") as client:
    methods = [asdict(method) for method in run(client, port)]
json.dump({"version": ipfshttpclient.__version__, "methods": methods}, sys.stdout)
