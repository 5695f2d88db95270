"""Attune's pipeline: from a recorded therapy session to the moments worth a supervisor's look.

`steps.py` is the map: every stage, what it reads, what it makes, in order. `records.py` holds the nouns.
Nothing here imports Prefect; `flows/` runs the same table as a flow.
"""
