-- Counters: one row per metric and group, its steps as JSON; the row of all groups together has whole = 1.
-- Growth is taken per series from one sample to the next: a fall is a reset to zero, and what is too old is no
-- predecessor (backend.contract.bucket). The samples reach back far enough for the first one of the range.
WITH instants AS (
    {instants}
),
before AS (
    SELECT
        *,
        lag(sample) OVER (PARTITION BY metric_type, hostname, labels ORDER BY sampled_at) AS previous,
        sampled_at - lag(sampled_at) OVER (PARTITION BY metric_type, hostname, labels ORDER BY sampled_at) AS gap
    FROM instants
),
grown AS (
    SELECT
        before.metric_type, hostname, labels, sampled_at, sample,
        floor(sampled_at / asked.base) * asked.base AS slot,
        asked.counts,
        CASE WHEN gap <= %(lookback)s THEN gap ELSE 0 END AS span,
        CASE WHEN gap <= %(lookback)s THEN 0 ELSE 1 END AS first_one,
        CASE
            WHEN asked.counts = 'delta' THEN sample
            WHEN gap > %(lookback)s OR gap IS NULL THEN 0
            WHEN sample < previous THEN sample
            ELSE sample - previous
        END AS growth
    FROM before
    JOIN {catalogued}
        ON asked.metric_type = before.metric_type
    WHERE sampled_at >= %(start)s
),
series AS (
    SELECT
        metric_type, hostname, labels, slot,
        count(*) AS n,
        avg(sample) AS average,
        min(sample) AS low,
        max(sample) AS high,
        max_by(sample, sampled_at) AS newest,
        sum(growth) AS growth,
        -- The first value of a delta covers as long a time as the others, only nobody saw where it began.
        sum(span) * CASE
            WHEN max(counts) = 'delta' AND max(first_one) = 1 AND count(*) > 1 THEN count(*) * 1e0 / (count(*) - 1)
            ELSE 1e0
        END AS span
    FROM grown
    GROUP BY 1, 2, 3, 4
),
lines AS (
    SELECT
        series.metric_type,
        asked.badness,
        asked.by_group,
        {line} AS line,
        slot, n, average, low, high, newest, growth, span
    FROM series
    JOIN {catalogued}
        ON asked.metric_type = series.metric_type
),
side_by_side AS (
    SELECT
        metric_type, badness, by_group, slot, line,
        grouping(line) AS whole,
        count(DISTINCT line) AS lines,
        sum(n) AS n,
        sum(average) AS average,
        sum(low) AS low,
        sum(high) AS high,
        sum(newest) AS newest,
        sum(growth) AS growth,
        max(span) AS span
    FROM lines
    GROUP BY GROUPING SETS (
        (metric_type, badness, by_group, slot, line),
        (metric_type, badness, by_group, slot)
    )
),
steps AS (
    SELECT
        metric_type, badness, whole, line,
        floor(slot / %(step)s) * %(step)s AS bucket,
        max(lines) AS lines,
        sum(n) AS n,
        sum(average * n) / sum(n) AS average,
        min(low) AS low,
        max(high) AS high,
        max_by(newest, slot) AS newest,
        sum(growth) AS growth,
        sum(span) AS span
    FROM side_by_side
    WHERE whole = 1 OR by_group = 1
    GROUP BY 1, 2, 3, 4, 5
),
scored AS (
    SELECT *, max(growth * badness) OVER (PARTITION BY metric_type, whole, line) AS score
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
        sum(average) AS average,
        sum(low) AS low,
        sum(high) AS high,
        sum(newest) AS newest,
        sum(growth) AS growth,
        max(span) AS span
    FROM named
    GROUP BY metric_type, bucket, whole, name
)
SELECT
    metric_type,
    whole,
    name,
    json_format(CAST(array_agg(ARRAY[bucket, lines, n, average, low, high, newest, growth, span]) AS json)) AS points
FROM points
GROUP BY metric_type, whole, name
