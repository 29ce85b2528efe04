SELECT
    job_name AS job,
    status,
    count(*) AS runs,
    avg(duration_seconds) AS average_seconds,
    approx_percentile(duration_seconds, 0.95) AS p95_seconds,
    max(duration_seconds) AS longest_seconds,
    max(started_at) AS last_started,
    CASE WHEN bool_or(synthetic) THEN 'synthetic' ELSE '' END AS origin
FROM ({job_runs}) AS records
GROUP BY job_name, status
ORDER BY job, status
