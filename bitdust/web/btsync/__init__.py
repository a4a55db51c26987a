"""The dialect of BitTorrent Sync: its HTTP API, version 1, over this node's folders."""
