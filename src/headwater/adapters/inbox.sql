-- The inbox of events. An event is a doorbell: it says of whom something came and where the truth about it lies.
-- A drain is one run that took events; what it took is done when the run has ended.
create table if not exists ops.drain (
    run text primary key check (run <> ''),
    began_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);

create table if not exists ops.event (
    event_id text primary key check (event_id ~ '^[0-9a-f]{64}$'),
    place bigint generated always as identity unique,
    source_id text not null check (source_id <> ''),
    kind text not null check (kind in ('delivery', 'claims', 'withdrawal', 'outage')),
    period date check (extract(day from period) = 1),
    batch_id text check (batch_id <> ''),
    sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
    snapshot_id bigint check (snapshot_id >= 0),
    posted_at timestamptz not null default clock_timestamp(),
    state text not null default 'waiting' check (state in ('waiting', 'taken', 'done', 'aside')),
    run text references ops.drain (run),
    code text,
    reason_zh text,
    reason_en text,
    constraint taken_by_somebody check (state = 'waiting' or run is not null),
    constraint aside_is_explained check (
        state <> 'aside' or (code is not null and reason_zh is not null and reason_en is not null)
    )
);

create index if not exists event_by_state on ops.event (state, place);
create index if not exists event_by_batch on ops.event (batch_id, snapshot_id);
