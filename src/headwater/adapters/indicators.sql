-- Indicators as people defined them. A version is never changed: another definition is the next version.
create table if not exists ops.indicator (
    name text not null,
    version integer not null check (version > 0),
    digest text not null,
    definition jsonb not null check (definition ->> 'name' = name),
    valid_from date not null,
    defined_by text not null check (defined_by <> ''),
    defined_at timestamptz not null default now(),
    primary key (name, version)
);

create or replace trigger never_changed before update or delete on ops.indicator
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.indicator
for each statement execute function ops.refuse_change();

-- From here on a version is no more computed, nor any before it; another definition brings the indicator back.
create table if not exists ops.indicator_retirement (
    name text not null,
    version integer not null,
    why text not null check (why <> ''),
    retired_by text not null check (retired_by <> ''),
    retired_at timestamptz not null default now(),
    primary key (name, version),
    foreign key (name, version) references ops.indicator (name, version)
);

create or replace trigger never_changed before update or delete on ops.indicator_retirement
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.indicator_retirement
for each statement execute function ops.refuse_change();
