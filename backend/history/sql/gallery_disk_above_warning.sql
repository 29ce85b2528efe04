SELECT
    host,
    min(CASE WHEN value > %(warning)s AND (last_within IS NULL OR sampled_at > last_within) THEN sampled_at END)
        AS above_since,
    max(value) AS highest_percent,
    min(CASE WHEN value = highest THEN sampled_at END) AS highest_at,
    max_by(value, sampled_at) AS latest_percent,
    avg(CASE WHEN value > %(warning)s THEN 1e2 ELSE 0e0 END) AS share_percent,
    CASE WHEN max(last_within) IS NULL THEN 'yes' ELSE 'no' END AS unbroken
FROM (
    SELECT
        host,
        sampled_at,
        value,
        max(value) OVER (PARTITION BY host) AS highest,
        max(CASE WHEN value <= %(warning)s THEN sampled_at END) OVER (PARTITION BY host) AS last_within
    FROM (
        SELECT hostname AS host, "timestamp" AS sampled_at, max(value) AS value
        FROM ({samples}) AS measured
        GROUP BY hostname, "timestamp"
    ) AS fullest
) AS measured
GROUP BY host
HAVING max(value) > %(warning)s
ORDER BY highest_percent DESC, host
