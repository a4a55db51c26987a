"""Pieces on their way to suppliers and back."""
