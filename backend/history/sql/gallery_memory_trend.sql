SELECT
    hour_start,
    avg(average) AS average_percent,
    max_by(host, average) AS fullest_host,
    max(average) AS fullest_percent,
    count(*) AS hosts
FROM (
    SELECT
        floor("timestamp" / 3600) * 3600 AS hour_start,
        hostname AS host,
        avg(value) AS average
    FROM ({samples}) AS measured
    GROUP BY 1, 2
) AS hours
GROUP BY hour_start
ORDER BY hour_start
