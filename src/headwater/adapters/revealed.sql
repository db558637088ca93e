-- The cohorts whose sums were ever revealed: what was seen is seen for good, so that rows are only ever added.
create table if not exists ops.revealed_sum (
    cohort text primary key check (cohort ~ '^[0-9a-f]{64}$'),
    region text not null,
    sources text[] not null check (cardinality(sources) > 1),
    revealed_at timestamptz not null
);
-- Who saw it: the region; or tiers and region together, who know of more sources than the region may.
alter table ops.revealed_sum
add column if not exists viewer text not null default 'region' check (viewer in ('region', 'tier'));

create or replace trigger never_changed before update or delete on ops.revealed_sum
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.revealed_sum
for each statement execute function ops.refuse_change();

-- What records each such sum was of, every time that it was revealed: one number a member that changes with its records.
create table if not exists ops.revealed_records (
    cohort text not null,
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    records jsonb not null,
    revealed_at timestamptz not null,
    primary key (cohort, digest)
);

create or replace trigger never_changed before update or delete on ops.revealed_records
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.revealed_records
for each statement execute function ops.refuse_change();
