"""Pins as backups: blocks that stay are kept at my suppliers, in segments, and come back from there."""
