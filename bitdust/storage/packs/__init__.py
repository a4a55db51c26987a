"""Packs: chunks put together, sealed, and cut into pieces."""
