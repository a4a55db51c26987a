"""Folders at suppliers: an always-on peer that holds sealed chunks and signed records, and can read neither."""
