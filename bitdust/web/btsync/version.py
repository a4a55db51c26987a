"""The version that clients are told; the command line tells the same, because some of them compare both."""

VERSION = "1.2.72"
"""That of the vendor's daemon whose recorded answers these are."""
