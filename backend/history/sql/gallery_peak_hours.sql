SELECT
    hour_of_day,
    avg(CASE WHEN metric_type = %(cpu)s THEN average END) AS cpu_average_percent,
    max(CASE WHEN metric_type = %(cpu)s THEN highest END) AS cpu_highest_percent,
    max(CASE WHEN metric_type = %(records)s THEN rate END) AS records_per_second,
    min(CASE WHEN metric_type = %(records)s AND rate = highest_rate THEN line END) AS operator
FROM (
    SELECT
        mod(hour_number, 24) AS hour_of_day,
        metric_type,
        line,
        avg(average) AS average,
        max(highest) AS highest,
        avg(rate) AS rate,
        max(avg(rate)) OVER (PARTITION BY mod(hour_number, 24), metric_type) AS highest_rate
    FROM (
        -- Series of one hour add up; those that lived one after another do not.
        SELECT hour_number, metric_type, line, avg(average) AS average, max(highest) AS highest, sum(rate) AS rate
        FROM (
            SELECT
                CAST(floor(sampled_at / 3600) AS bigint) AS hour_number,
                metric_type,
                CASE WHEN metric_type = %(records)s THEN element_at(labels, %(operator)s) ELSE hostname END AS line,
                avg(sample) AS average,
                max(sample) AS highest,
                -- Per series, from one sample to the next: anew after a reset, not across a long gap.
                sum(
                    CASE WHEN gap <= %(longest_gap)s THEN
                        CASE WHEN sample < previous THEN sample ELSE sample - previous END
                    END
                ) / nullif(sum(CASE WHEN gap <= %(longest_gap)s THEN gap END), 0) AS rate
            FROM (
                SELECT
                    *,
                    lag(sample) OVER (PARTITION BY metric_type, hostname, labels ORDER BY sampled_at) AS previous,
                    sampled_at - lag(sampled_at) OVER (PARTITION BY metric_type, hostname, labels ORDER BY sampled_at)
                        AS gap
                FROM (
                    {instants}
                ) AS instants
            ) AS steps
            GROUP BY 1, 2, 3, hostname, labels
        ) AS by_series
        GROUP BY hour_number, metric_type, line
    ) AS by_hour
    GROUP BY mod(hour_number, 24), metric_type, line
) AS by_line
GROUP BY hour_of_day
ORDER BY cpu_average_percent DESC, hour_of_day
