"""Random runs of a whole network: whatever can break does, and nothing that was promised may be lost.

    python -m tests.grid.chaos 1 100 --mode safety

runs the seeds 1 to 100 and ends with 1 when one of them fails. A seed decides everything: keys, the script of steps,
and what the network does; the same seed gives the same run again, on another machine too (``-v`` prints its steps).
"""
