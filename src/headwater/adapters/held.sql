-- What members of model versions said, kept by digest so that it can be subtracted again. Unlike the other tables of ops
-- these rows may go: whoever withdraws takes along what is held of it.
create table if not exists ops.member_statistic (
    digest text primary key check (digest ~ '^[0-9a-f]{64}$'),
    message bytea not null
);

create table if not exists ops.version_member (
    name text not null,
    version integer not null check (version > 0),
    source_id text not null,
    months date [] not null,
    weight integer not null default 1 check (weight > 0),
    digest text not null references ops.member_statistic (digest),
    primary key (name, version, source_id)
);
create index if not exists version_member_digest on ops.version_member (digest);
