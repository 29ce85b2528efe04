"""Runs of jobs: recorded with their batches' leases, read, and asked for again."""
