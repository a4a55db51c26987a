"""Folders that are the same on several machines, for everybody who has one of their secrets."""
