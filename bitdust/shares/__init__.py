"""Shares: keys of mine that I gave to other people, and keys of theirs that they gave to me."""
