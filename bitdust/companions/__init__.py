"""Companions: apps on phones and in browsers that the person of this node has let in, each with a key of its own.

The API calls them devices. They are no devices of the identity: they sign nothing, nobody else knows them, and they
reach the API of this node alone, over a sealed line (`bitdust.companions.line`).
"""
