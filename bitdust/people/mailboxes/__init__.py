"""Mailboxes that this node keeps for others: sealed envelopes, and one-time prekeys that are handed out once each."""
