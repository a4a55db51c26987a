"""My friends: the list of them, and who of them is here."""
