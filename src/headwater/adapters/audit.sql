-- The audit log: entries that are never changed, each signed together with all before it (security/audit.py).
create table if not exists ops.audit (
    number bigint primary key check (number > 0),
    at timestamptz not null,
    kind text not null check (kind ~ '^[a-z_]+$'),
    body text not null,
    signature bytea not null check (length(signature) = 64)
);

create index if not exists audit_kind on ops.audit (kind, number);

-- What adding the next entry takes; one row, which makes writers take turns.
create table if not exists ops.audit_peaks (
    sole boolean primary key default true check (sole),
    size bigint not null,
    hashes bytea not null,
    signature bytea not null
);
insert into ops.audit_peaks (size, hashes, signature) values (0, '', decode(repeat('00', 64), 'hex'))
on conflict do nothing;

create or replace trigger never_changed before update or delete on ops.audit
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.audit
for each statement execute function ops.refuse_change();
