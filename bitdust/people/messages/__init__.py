"""Private messages: sealed for each device of a person, on the disk before they count as sent, opened once."""
