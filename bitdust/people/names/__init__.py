"""Nicknames: mine in the hash table, and who else bears one."""
