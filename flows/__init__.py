"""Prefect flows over the step table. No arithmetic lives here."""
