SELECT
    dataset,
    avg(CASE WHEN state = 'fresh' THEN 1e2 ELSE 0e0 END) AS fresh_percent,
    avg(CASE WHEN state = 'late' THEN 1e2 ELSE 0e0 END) AS late_percent,
    avg(CASE WHEN state IN ('fresh', 'late') THEN 0e0 ELSE 1e2 END) AS unknown_percent,
    max(late_minutes) AS worst_late_minutes,
    max_by(checked_at, late_minutes) AS worst_at,
    count(*) AS checks,
    CASE WHEN bool_or(synthetic) THEN 'synthetic' ELSE '' END AS origin
FROM (
    SELECT
        *,
        CASE WHEN state = 'late' THEN freshness_minutes - sla_minutes END AS late_minutes
    FROM ({dataset_status}) AS records
) AS looks
GROUP BY dataset
ORDER BY fresh_percent, dataset
