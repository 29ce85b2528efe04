"""History: samples of past days in S3, read through Athena, and the compaction that keeps that cheap."""
