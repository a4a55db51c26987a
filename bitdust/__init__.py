"""A node of a private, peer-to-peer cloud: files encrypted at home, kept in pieces by peers."""

__version__ = "0.1.0"
