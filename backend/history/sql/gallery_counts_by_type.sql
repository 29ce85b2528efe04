SELECT
    environment,
    metric_type,
    count(*) AS samples,
    count(DISTINCT hostname) AS hosts,
    min("timestamp") AS first_at,
    max("timestamp") AS last_at
FROM ({samples}) AS measured
GROUP BY environment, metric_type
ORDER BY environment, samples DESC, metric_type
