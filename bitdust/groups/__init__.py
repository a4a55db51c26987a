"""Groups: people who write to all of each other, through logs that the suppliers of a group's creator keep."""
