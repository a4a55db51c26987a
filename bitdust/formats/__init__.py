"""What a customer writes and its suppliers keep or obey: log entries, operations, signed orders. Pure."""
