"""The round that keeps everything stored whole."""
