"""Blocks that go between nodes: who is asked and who is served, sessions that fetch, and the two packets of it."""
