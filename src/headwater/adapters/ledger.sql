-- The privacy ledger. A balance says what the releases of a source have cost a group of patients in a period; '' stands
-- for all tiers or all purposes. The database itself refuses a balance above its cap.
create table if not exists ops.privacy_balance (
    patients text not null check (patients <> ''),
    source_id text not null check (source_id <> ''),
    tier text not null,
    purpose text not null,
    period text not null check (period = 'lifetime' or period ~ '^[0-9]{4}-[0-9]{2}$'),
    delta double precision not null check (delta > 0 and delta < 1),
    cap double precision not null check (cap > 0 and cap < 'infinity'),
    spent double precision not null check (spent >= 0),
    tally text not null,
    releases bigint not null check (releases >= 0),
    requirement text not null,
    primary key (patients, source_id, tier, purpose, period),
    constraint never_overspent check (spent <= cap)
);

-- What was debited, before it was released. Entries are never changed; balances can be recomputed from them.
create table if not exists ops.privacy_entry (
    entry_id bigint generated always as identity primary key,
    release_id text not null check (release_id <> ''),
    source_id text not null,
    patients text not null,
    tier text not null check (tier <> ''),
    purpose text not null check (purpose <> ''),
    event text not null,
    protection text not null,
    requirement text not null,
    debited_at timestamptz not null,
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    unique (release_id, source_id)
);

create index if not exists privacy_entry_by_source on ops.privacy_entry (source_id, patients, entry_id);

-- Releases are only ever added.
create or replace function ops.refuse_shrinking() returns trigger language plpgsql as $$
begin
    if new.releases < old.releases then
        raise exception 'releases of a privacy balance are never taken back' using errcode = 'HW001';
    end if;
    return new;
end
$$;

create or replace trigger never_shrinks before update on ops.privacy_balance
for each row execute function ops.refuse_shrinking();
create or replace trigger never_deleted before delete on ops.privacy_balance
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.privacy_balance
for each statement execute function ops.refuse_change();
create or replace trigger never_changed before update or delete on ops.privacy_entry
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.privacy_entry
for each statement execute function ops.refuse_change();
