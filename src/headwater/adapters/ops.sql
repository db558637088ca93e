-- What must be transactional about landing: one row a batch, and the balance that the database itself enforces.
create schema if not exists ops;

create table if not exists ops.batch (
    batch_id text primary key,
    source_id text not null,
    entity text not null,
    file_name text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    contract text,
    superseded_by text references ops.batch (batch_id),
    bytes bigint not null,
    state text not null,
    rows_in bigint,
    rows_loaded bigint,
    rows_quarantined bigint,
    rows_duplicate bigint,
    money_in numeric(20, 2),
    money_loaded numeric(20, 2),
    money_quarantined numeric(20, 2),
    money_duplicate numeric(20, 2),
    columns_ignored integer,
    rows_replaced bigint not null default 0,
    refusal_code text,
    refusal_zh text,
    refusal_en text,
    snapshot_id bigint,
    landed_at timestamptz not null default now(),
    loaded_at timestamptz,
    unique (source_id, entity, sha256),
    constraint rows_balance check (state <> 'loaded' or rows_in = rows_loaded + rows_quarantined + rows_duplicate),
    constraint money_balance check (state <> 'loaded' or money_in = money_loaded + money_quarantined + money_duplicate),
    constraint loaded_is_counted check (
        state <> 'loaded'
        or (
            rows_in is not null and rows_loaded is not null and rows_quarantined is not null and rows_duplicate is not null
            and money_in is not null and money_loaded is not null and money_quarantined is not null
            and money_duplicate is not null and snapshot_id is not null
        )
    ),
    constraint refused_is_explained check (
        state not in ('refused', 'held') or (refusal_code is not null and refusal_zh is not null)
    )
);

-- Registers of earlier versions lack these; their batches have no contract's digest and are therefore read again.
alter table ops.batch add column if not exists contract text;
alter table ops.batch add column if not exists superseded_by text references ops.batch (batch_id);
alter table ops.batch add column if not exists rows_replaced bigint not null default 0;
alter table ops.batch drop constraint if exists batch_state_check;
alter table ops.batch add constraint batch_state_check check (
    state in ('received', 'loaded', 'refused', 'held', 'superseded')
);

-- The contracts by which batches were read, by their digests: what it takes to read a delivery again.
create table if not exists ops.contract (
    digest text primary key,
    body text not null
);

create index if not exists batch_by_source on ops.batch (source_id, entity, state);

-- What a file that was sent again changed: rows and money before and after.
create table if not exists ops.difference (
    batch_id text primary key references ops.batch (batch_id),
    earlier_batch_id text references ops.batch (batch_id),
    rows_same bigint not null,
    rows_changed bigint not null,
    rows_added bigint not null,
    rows_removed bigint not null,
    money_before numeric(20, 2) not null,
    money_after numeric(20, 2) not null,
    snapshot_before bigint,
    noted_at timestamptz not null default now()
);

-- What a person decided about a file that waits because it shrank.
create table if not exists ops.decision (
    batch_id text primary key references ops.batch (batch_id),
    choice text not null check (choice in ('accept', 'return')),
    decided_by text not null,
    why text not null,
    decided_at timestamptz not null default now()
);

-- Which snapshots of the lake readers were given; they see the newest. A row is never changed or followed by an older one.
create table if not exists ops.publication (
    publication_id bigint generated always as identity primary key,
    snapshot_id bigint not null unique,
    quality_run text not null,
    published_by text not null,
    published_at timestamptz not null default now()
);
