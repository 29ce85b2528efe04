-- Each instant of a series counts once, however many objects hold it.
SELECT
    metric_type,
    hostname,
    CASE WHEN cardinality(labels) > 0 THEN labels END AS labels,
    "timestamp" AS sampled_at,
    max("value") AS sample
FROM ({samples}) AS read
WHERE abs("value") < 1e38
GROUP BY 1, 2, 3, 4
