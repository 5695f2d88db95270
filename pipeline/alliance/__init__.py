"""Possible ruptures and repairs: the marker bank, its gates, moments, links and ranking."""
