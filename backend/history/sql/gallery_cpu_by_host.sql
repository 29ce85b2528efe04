SELECT
    hostname AS host,
    avg(value) AS average_percent,
    max(value) AS highest_percent,
    min(value) AS lowest_percent,
    count(*) AS samples
FROM ({samples}) AS measured
GROUP BY hostname
ORDER BY average_percent DESC, host
