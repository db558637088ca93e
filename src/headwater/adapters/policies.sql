-- Payment policies that people added, each with its whole text, who added it and why. What was added is never changed: a
-- correction of the same first day supersedes it. Approval by a second person would be another row about an entry, which
-- `standing` in policies.py then asks for.
create table if not exists ops.policy (
    entry_id bigint generated always as identity primary key,
    name text not null check (name <> ''),
    valid_from date not null,
    version text not null,
    body text not null,
    replaces text,
    supersedes bigint unique references ops.policy (entry_id),
    added_by text not null check (added_by <> ''),
    why text not null check (why <> ''),
    added_at timestamptz not null default now()
);

-- Of two people who add at the same moment one is refused: a chain has one beginning and no branches.
create unique index if not exists policy_first on ops.policy (name, valid_from) where supersedes is null;

create or replace trigger never_changed before update or delete on ops.policy
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.policy
for each statement execute function ops.refuse_change();
