"""The catalog's log: written, brought to every supplier, and brought back."""
