"""Healing the families of customers that are away: watching, voting, standing in."""
