"""The catalog: what I have stored, and the rows that show it."""
