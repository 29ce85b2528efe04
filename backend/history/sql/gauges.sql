-- Gauges: one row per metric and group, its steps as JSON; the row of all groups together has whole = 1.
-- As backend.contract.rollup does it: inside a series, series side by side, then one bucket after the other.
WITH instants AS (
    {instants}
),
series AS (
    SELECT
        instants.metric_type,
        hostname,
        labels,
        floor(sampled_at / asked.base) * asked.base AS slot,
        count(*) AS n,
        avg(sample) AS average,
        min(sample) AS low,
        max(sample) AS high,
        max_by(sample, sampled_at) AS newest
    FROM instants
    JOIN {catalogued}
        ON asked.metric_type = instants.metric_type
    GROUP BY 1, 2, 3, 4
),
lines AS (
    SELECT
        series.metric_type,
        asked.combine,
        asked.badness,
        asked.by_group,
        {line} AS line,
        slot, n, average, low, high, newest
    FROM series
    JOIN {catalogued}
        ON asked.metric_type = series.metric_type
),
side_by_side AS (
    SELECT
        metric_type, combine, badness, by_group, slot, line,
        grouping(line) AS whole,
        count(DISTINCT line) AS lines,
        sum(n) AS n,
        CASE combine
            WHEN 'sum' THEN sum(average)
            WHEN 'max' THEN max(average)
            WHEN 'min' THEN min(average)
            ELSE sum(average * n) / sum(n)
        END AS average,
        CASE combine WHEN 'sum' THEN sum(low) WHEN 'max' THEN max(low) ELSE min(low) END AS low,
        CASE combine WHEN 'sum' THEN sum(high) WHEN 'min' THEN min(high) ELSE max(high) END AS high,
        CASE combine
            WHEN 'sum' THEN sum(newest)
            WHEN 'max' THEN max(newest)
            WHEN 'min' THEN min(newest)
            ELSE avg(newest)
        END AS newest
    FROM lines
    GROUP BY GROUPING SETS (
        (metric_type, combine, badness, by_group, slot, line),
        (metric_type, combine, badness, by_group, slot)
    )
),
steps AS (
    SELECT
        metric_type, combine, badness, whole, line,
        floor(slot / %(step)s) * %(step)s AS bucket,
        max(lines) AS lines,
        sum(n) AS n,
        sum(average * n) / sum(n) AS average,
        min(low) AS low,
        max(high) AS high,
        max_by(newest, slot) AS newest
    FROM side_by_side
    WHERE whole = 1 OR by_group = 1
    GROUP BY 1, 2, 3, 4, 5, 6
),
scored AS (
    SELECT *, max(average * badness) OVER (PARTITION BY metric_type, whole, line) AS score
    FROM steps
),
ranked AS (
    SELECT
        *,
        dense_rank() OVER (
            PARTITION BY metric_type, whole
            ORDER BY CASE WHEN {pinned} THEN 0 ELSE 1 END, score DESC, line
        ) AS place
    FROM scored
),
named AS (
    SELECT *, CASE WHEN whole = 0 AND place > %(kept)s THEN %(rest)s ELSE line END AS name
    FROM ranked
),
points AS (
    SELECT
        metric_type,
        bucket,
        whole,
        name,
        max(lines) AS lines,
        sum(n) AS n,
        CASE combine
            WHEN 'sum' THEN sum(average)
            WHEN 'max' THEN max(average)
            WHEN 'min' THEN min(average)
            ELSE sum(average * n) / sum(n)
        END AS average,
        CASE combine WHEN 'sum' THEN sum(low) WHEN 'max' THEN max(low) ELSE min(low) END AS low,
        CASE combine WHEN 'sum' THEN sum(high) WHEN 'min' THEN min(high) ELSE max(high) END AS high,
        CASE combine
            WHEN 'sum' THEN sum(newest)
            WHEN 'max' THEN max(newest)
            WHEN 'min' THEN min(newest)
            ELSE avg(newest)
        END AS newest
    FROM named
    GROUP BY metric_type, combine, bucket, whole, name
)
SELECT
    metric_type,
    whole,
    name,
    json_format(CAST(array_agg(ARRAY[bucket, lines, n, average, low, high, newest]) AS json)) AS points
FROM points
GROUP BY metric_type, whole, name
