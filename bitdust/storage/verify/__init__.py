"""Proofs that versions can come back, without writing anything."""
