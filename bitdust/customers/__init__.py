"""The supplier's role: what I keep for my customers, what I promised them, and who may have it back."""
