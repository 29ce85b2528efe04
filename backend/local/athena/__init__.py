"""Athena on this machine: its API over HTTP, its SQL on DuckDB, its tables from Glue, its data and results in S3."""
