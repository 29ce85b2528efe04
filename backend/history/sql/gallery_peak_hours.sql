SELECT
    hour_of_day,
    avg(CASE WHEN metric_type = %(cpu)s THEN average END) AS cpu_average_percent,
    max(CASE WHEN metric_type = %(cpu)s THEN highest END) AS cpu_highest_percent,
    max(CASE WHEN metric_type = %(records)s THEN rate END) AS records_per_second,
    min(CASE WHEN metric_type = %(records)s AND rate = highest_rate THEN line END) AS operator
FROM (
    SELECT
        hour_of_day,
        metric_type,
        line,
        avg(average) AS average,
        max(highest) AS highest,
        sum(rate) AS rate,
        max(sum(rate)) OVER (PARTITION BY hour_of_day, metric_type) AS highest_rate
    FROM (
        SELECT
            mod(CAST(floor(sampled_at / 3600) AS bigint), 24) AS hour_of_day,
            metric_type,
            line,
            avg(value) AS average,
            max(value) AS highest,
            -- Per series, from one sample to the next: anew after a reset, not across a long gap.
            sum(CASE WHEN gap <= %(longest_gap)s THEN CASE WHEN value < previous THEN value ELSE value - previous END END)
                / nullif(sum(CASE WHEN gap <= %(longest_gap)s THEN gap END), 0) AS rate
        FROM (
            SELECT
                "timestamp" AS sampled_at,
                metric_type,
                CASE WHEN metric_type = %(records)s THEN element_at(labels, %(operator)s) ELSE hostname END AS line,
                hostname,
                labels,
                value,
                lag(value) OVER (PARTITION BY metric_type, hostname, labels ORDER BY "timestamp") AS previous,
                "timestamp" - lag("timestamp") OVER (PARTITION BY metric_type, hostname, labels ORDER BY "timestamp")
                    AS gap
            FROM ({samples}) AS measured
        ) AS measured
        GROUP BY 1, metric_type, line, hostname, labels
    ) AS by_series
    GROUP BY hour_of_day, metric_type, line
) AS by_line
GROUP BY hour_of_day
ORDER BY cpu_average_percent DESC, hour_of_day
