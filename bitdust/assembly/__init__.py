"""The assembly: builds the rooms of a node from the ground up, then wires those that need each other."""

from bitdust.assembly.assembly import Assembly, all_services

__all__ = ["Assembly", "all_services"]
