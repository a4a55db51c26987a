"""Clients of the API that speak no HTTP and no WebSocket, almost: what they send follows from a number.

`requests`, `frames` and `calls` make scripts, `judging` says what must be true of answers, and ``python -m
tests.hostile.fuzz`` tries many thousands of them on a real daemon.
"""
