"""Seed 003: what the vendor's page of the API prints, and unmodified clients of it."""
